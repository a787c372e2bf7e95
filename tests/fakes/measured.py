"""`LiveMetrics` and `Feedback` from lists that a test writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.ports import Ratings, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeAnswer:
    """One answered forecast, as the serving metrics would have counted it."""

    workload: str
    track: Track
    release: str
    at: datetime
    status: int = 200
    seconds: float = 0.01


class FakeLiveMetrics:
    """`LiveMetrics` from a list of answers; set `away` to have it raise."""

    def __init__(self, answers: Iterable[FakeAnswer] = ()) -> None:
        self.answers = list(answers)
        self.workers: dict[tuple[str, Track], dict[str, int]] = {}
        self.away = False

    def requests(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        seen = self._seen(workload, track, release, until)
        return sum(answer.at >= since for answer in seen) if seen else None

    def errors(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        seen = self._seen(workload, track, release, until)
        return sum(answer.at >= since and answer.status >= 500 for answer in seen) if seen else None

    def latency_ms(
        self, workload: str, track: Track, release: str, *, since: datetime, until: datetime
    ) -> float | None:
        seen = self._seen(workload, track, release, until)
        seconds = [answer.seconds for answer in seen if answer.at >= since]
        return 1000 * sum(seconds) / len(seconds) if seconds else None

    def failures(self, workload: str, track: Track, *, since: datetime, until: datetime) -> int | None:
        names = {answer.release for answer in self.answers if (answer.workload, answer.track) == (workload, track)}
        found = [self.errors(workload, track, name, since=since, until=until) for name in sorted(names)]
        known = [count for count in found if count is not None]
        return sum(known) if known else None

    def gaps(self, workload: str, track: Track, *, since: datetime, until: datetime) -> list[str]:
        self._seen(workload, track, "", max(since, until))
        return []

    def serving(self, workload: str, track: Track) -> dict[str, int]:
        return dict(self.workers.get((workload, track), {}))

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def _seen(self, workload: str, track: Track, release: str, until: datetime) -> list[FakeAnswer]:
        if self.away:
            raise MetricsError("the live metrics are away")
        key = (workload, track, release)
        return [a for a in self.answers if (a.workload, a.track, a.release) == key and a.at < until]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeRating:
    """One rating of one forecast."""

    workload: str
    release_id: str
    value: float
    forecast_at: datetime
    at: datetime
    client: str = "c"


class FakeFeedback:
    """`Feedback` from a list of ratings; set `away` to have it raise."""

    def __init__(self, given: Iterable[FakeRating] = ()) -> None:
        self.given = list(given)
        self.away = False

    def ratings(self, workload: str, release_id: str, *, since: datetime, until: datetime) -> Ratings:
        if self.away:
            raise MetricsError("feedback is away")
        votes: dict[tuple[str, date], float] = {}
        for rating in sorted(self.given, key=lambda rating: rating.at):
            if (
                (rating.workload, rating.release_id) == (workload, release_id)
                and since <= rating.at < until
                and since <= rating.forecast_at < until
            ):
                votes.setdefault((rating.client, rating.at.date()), rating.value)
        values = list(votes.values())
        return Ratings(count=len(values), mean=sum(values) / len(values) if values else None)
