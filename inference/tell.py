"""What is said of one question: the weeks, the family that made them, and a note where they are weak."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from inference.history import History, lay_out
from inference.problems import NO_HISTORIES, UNKNOWN_SERIES, ProblemError
from ratchet import posted
from ratchet.contracts.errors import UnknownSeriesError
from ratchet.serve.release import DIGITS, OpenRelease

if TYPE_CHECKING:
    from inference.questions import Question

SYNTHETIC: Final = "trained on synthetic sample data"
SHORT_WEEKS: Final = 52
"""Less than a year: nothing can be known of its seasons."""
FEW_WEEKS: Final = 13
"""Bounds of shorter posted histories hold less often than they say if weeks differ much (`tests/bench/serving/short_histories.py`)."""
MOSTLY_SEEN: Final = 0.9
PROMISED: Final = {"80": 0.75, "95": 0.92}
"""Below these shares of held-out weeks, bounds hold clearly less often than they say."""


class Told(NamedTuple):
    """A forecast as it is answered and logged."""

    weeks: bytes
    """As JSON: rendered once for the answer and for the log."""
    family: str | None
    note: str | None


def find_row(opened: OpenRelease, unique_id: str, target: str, *, history_may_be_posted: bool) -> int:
    """Return where a release has a series, or raise a problem that says how whoever asks can go on."""
    try:
        return opened.row(unique_id, target)
    except UnknownSeriesError as error:
        ways = [f"{error}. GET /api/{opened.card.workload}/series lists what there is."]
        if history_may_be_posted and opened.yardstick is not None:
            ways.append("A question in JSON that brings the weekly counts as `history` is answered from them.")
        raise ProblemError(UNKNOWN_SERIES, " ".join(ways)) from None


def tell(opened: OpenRelease, question: "Question", now: datetime) -> Told:
    """Answer from the release or, where it does not know the series, from the history that was posted."""
    try:
        row = opened.row(question.unique_id, question.target)
    except UnknownSeriesError:
        return _tell_from_history(opened, question, now)
    return Standing(opened).tell(question, row, opened.rendered(row, question.horizon))


class Standing:
    """What a release says of all its forecasts, looked up once for however many."""

    def __init__(self, opened: OpenRelease) -> None:
        self._opened = opened
        self._families = sorted(opened.card.families)
        self._notes = list(_of_release(opened))

    def tell(self, question: "Question", row: int, weeks: bytes) -> Told:
        """Say what a release's own forecast is."""
        opened = self._opened
        family = None if opened.family is None else self._families[opened.family[row]]
        notes = self._notes
        if opened.history is not None and (known := int(opened.history[row])) < SHORT_WEEKS:
            notes = [*notes, f"short history: {known} weeks"]
        if opened.behind is not None and (missed := int(opened.behind[row])):
            notes = [*notes, f"stale: the newest {missed} weeks of this series are not known"]
        if question.history is not None:
            notes = [*notes, "the release knows this series: the posted history was not used"]
        return Told(weeks=weeks, family=family, note="; ".join(notes) or None)


def _of_release(opened: OpenRelease) -> Iterator[str]:
    if opened.card.synthetic:
        yield SYNTHETIC
    if opened.card.seen < MOSTLY_SEEN:
        yield f"of the newest weeks' data {100 * opened.card.seen:.0f} % had been seen"
    for level, least in PROMISED.items():
        if (held := opened.card.coverage.get(level, 1.0)) < least:
            yield f"bounds of {level} % held in {100 * held:.0f} % of held-out weeks"


def _tell_from_history(opened: OpenRelease, question: "Question", now: datetime) -> Told:
    if opened.yardstick is None or question.history is None:
        raise ProblemError(NO_HISTORIES, "The release that serves now has not learnt to answer posted histories.")
    history = lay_out(question.history, first_week=date.fromisoformat(opened.weeks[0]), today=now.date())
    found = posted.forecast(history.values, question.horizon, opened.yardstick)
    weeks = [
        {"week": (history.next_week + timedelta(weeks=ahead)).isoformat()}
        | {name: round(found[name][ahead], DIGITS) for name in ("mean", "median", *posted.BOUNDS)}
        for ahead in range(question.horizon)
    ]
    return Told(weeks=orjson.dumps(weeks), family=posted.FAMILY, note="; ".join(_doubts(opened, history)))


def _doubts(opened: OpenRelease, history: History) -> Iterator[str]:
    yield "from the posted history alone: its level, without trend or season"
    if opened.card.synthetic:
        yield "bounds learnt from synthetic sample data"
    if missing := len(history.values) - history.known:
        yield f"{missing} weeks of the last year are missing"
    if history.known < SHORT_WEEKS:
        yield f"short history: {history.known} weeks"
    if history.known < FEW_WEEKS:
        yield "bounds from so few weeks hold less often than they say if weeks differ much"
    if not history.values[history.values == history.values].any():
        yield "all weeks are zero"
