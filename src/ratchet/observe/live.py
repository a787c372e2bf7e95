"""Live metrics from Prometheus over its HTTP API. No sample is None, never zero.

A count is the counter's last value minus its value when the window began: exact, where `increase` would extrapolate to
the window's edges. A counter that first appears inside the window counts from zero. Only where a counter was reset
inside the window does `increase` stand in, which adds up what each life of the counter saw: right to within a scrape
interval's worth of requests at each edge and reset, and rounded to a whole number.
"""

import http.client
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.ports import Track

QUERY_PATH: Final = "/api/v1/query"
MAX_ANSWER_BYTES: Final = 1 << 20
REQUESTS: Final = "ratchet_requests_total"
SECONDS_SUM: Final = "ratchet_request_seconds_sum"
SECONDS_COUNT: Final = "ratchet_request_seconds_count"
WORKER: Final = "ratchet_worker_release"
SCRAPE_SECONDS: Final = 5.0
"""How often the stack's Prometheus scrapes a track."""
TOLERATED_SECONDS: Final = 30.0
TOLERATED_SHARE: Final = 0.1
"""A window with fewer scrapes than this leaves out has a gap."""
SERVER_ERRORS: Final = 'status=~"5.."'

GROWTH: Final = (
    "sum((((last_over_time(%(series)s[%(window)s]) - last_over_time(%(series)s[5m] offset %(window)s)) >= 0)"
    " or last_over_time(%(series)s[%(window)s])) unless (resets(%(series)s[%(window)s]) > 0)"
    " or increase(%(series)s[%(window)s]))"
)
"""By how much the counters grew; five minutes is how far back Prometheus itself looks for a value."""


class PrometheusMetrics:
    """`LiveMetrics` over Prometheus. An answer that is no answer raises `MetricsError`."""

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self._address = urlsplit(url)
        self._timeout = timeout
        if self._address.scheme not in {"http", "https"} or not self._address.hostname:
            raise MetricsError(f"not the address of a Prometheus server: {url}")

    def requests(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        """Answered forecasts, or None where nothing was measured."""
        total = _growth(REQUESTS, _labels(workload, track, release), since, until)
        return _whole(self._query(total, until))

    def errors(self, workload: str, track: Track, release: str, *, since: datetime, until: datetime) -> int | None:
        """Forecasts that failed on the server's side (5xx), or None. Requests without any failure are 0 errors."""
        labels = _labels(workload, track, release)
        failed = _growth(REQUESTS, f"{labels},{SERVER_ERRORS}", since, until)
        total = _growth(REQUESTS, labels, since, until)
        return _whole(self._query(f"{failed} or {total} * 0", until))

    def latency_ms(
        self, workload: str, track: Track, release: str, *, since: datetime, until: datetime
    ) -> float | None:
        """Mean latency in milliseconds, or None."""
        labels = _labels(workload, track, release)
        spent = _growth(SECONDS_SUM, labels, since, until)
        counted = _growth(SECONDS_COUNT, labels, since, until)
        return self._query(f"1000 * {spent} / {counted}", until)

    def failures(self, workload: str, track: Track, *, since: datetime, until: datetime) -> int | None:
        """Forecasts that the track failed to answer (5xx), whatever it served; None where nothing was measured."""
        labels = _of_track(workload, track)
        failed = _growth(REQUESTS, f"{labels},{SERVER_ERRORS}", since, until)
        total = _growth(REQUESTS, labels, since, until)
        return _whole(self._query(f"{failed} or {total} * 0", until))

    def gaps(self, workload: str, track: Track, *, since: datetime, until: datetime) -> list[str]:
        """Say which scrapes of the window are missing and which counters were reset in it; nothing is interpolated."""
        seconds = (until - since).total_seconds()
        window = f"{max(1, round(seconds * 1000))}ms"
        up = f'up{{job="inference",part="inference-{track.value}"}}[{window}]'
        scraped = (self._query(f"sum(sum_over_time({up}))", until) or 0.0) * SCRAPE_SECONDS
        gaps = []
        if seconds - scraped > max(TOLERATED_SECONDS, TOLERATED_SHARE * seconds):
            gaps.append(f"the {track.value} track was scraped in {scraped:.0f} of {seconds:.0f} s")
        reset = self._query(f"sum(resets({REQUESTS}{{{_of_track(workload, track)}}}[{window}]))", until)
        if reset:
            gaps.append(f"a counter of the {track.value} track was reset: its service was restarted")
        return gaps

    def serving(self, workload: str, track: Track) -> dict[str, int]:
        """How many workers of a track serve which `release_id`, as of the newest scrape."""
        labels = f'workload="{_escape(workload)}",track="{track.value}"'
        result = self._ask({"query": f"count by (release_id) ({WORKER}{{{labels}}} == 1)"})
        try:
            return {str(row["metric"]["release_id"]): round(float(row["value"][1])) for row in result}
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise MetricsError(f"Prometheus answered something that is no count of workers: {error!r}") from error

    def clock(self) -> datetime:
        """Return Prometheus' own time."""
        result = self._ask({"query": "vector(time())"})
        try:
            return datetime.fromtimestamp(float(result[0]["value"][1]), UTC)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise MetricsError(f"Prometheus does not know the time: {error!r}") from error

    def _query(self, expression: str, at: datetime) -> float | None:
        """Return the one number an expression has at a time; None where it has none or is not finite."""
        result = self._ask({"query": expression, "time": f"{at.timestamp():.3f}"})
        try:
            value = float(result[0]["value"][1]) if result else math.nan
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise MetricsError(f"Prometheus answered something that is no number: {error!r}") from error
        return value if math.isfinite(value) else None

    def _ask(self, form: dict[str, str]) -> list[Any]:
        status, body = self._post(f"{self._address.path.rstrip('/')}{QUERY_PATH}", urlencode(form))
        try:
            answer = json.loads(body)
            if answer["status"] != "success":
                raise MetricsError(f"Prometheus refused a query ({status}): {str(answer.get('error'))[:200]}")
            result = answer["data"]["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise MetricsError(f"Prometheus answered {status} and nothing that makes sense") from error
        if not isinstance(result, list):
            raise MetricsError(f"Prometheus answered {status} and no list of results")
        return result

    def _post(self, path: str, form: str) -> tuple[int, bytes]:
        https = self._address.scheme == "https"
        connect = http.client.HTTPSConnection if https else http.client.HTTPConnection
        connection = connect(str(self._address.hostname), self._address.port, timeout=self._timeout)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request("POST", path, body=form, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise MetricsError(f"Prometheus at {self._address.netloc} is away: {error!r}") from error
        finally:
            connection.close()


def _labels(workload: str, track: Track, release: str) -> str:
    """Label matchers for forecasts alone; a counter without the label `endpoint` counts nothing else."""
    pairs = {"workload": workload, "track": track.value, "release": release}
    matchers = [f'{name}="{_escape(value)}"' for name, value in pairs.items()]
    return ",".join([*matchers, 'endpoint=~"(predict.*)?"'])


def _of_track(workload: str, track: Track) -> str:
    return f'workload="{_escape(workload)}",track="{track.value}",endpoint=~"(predict.*)?"'


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _growth(metric: str, labels: str, since: datetime, until: datetime) -> str:
    milliseconds = max(1, round((until - since) / timedelta(milliseconds=1)))
    return GROWTH % {"series": f"{metric}{{{labels}}}", "window": f"{milliseconds}ms"}


def _whole(count: float | None) -> int | None:
    return None if count is None else round(count)
