"""The router's API as the dashboard uses it: every failure becomes a `Trouble` that a person can read."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

from monitoring.dashboard.words import plain

SECONDS: Final = 7.0
"""More than the router waits for a track that hangs before it asks the other one."""
BATCH_SECONDS: Final = 30.0
LOOK: Final = "`make status` or `docker compose ps` shows what runs, docs/runbook.md what to do."
WHAT_TO_DO: Final = {
    "no-key": "The key is missing, unknown or was revoked.",
    "wrong-scope": "This needs a key with the scope `operate`.",
    "not-ready": "No release answers yet: the first training may still run.",
    "database-away": f"Forecasts go on without it. {LOOK}",
    "no-gold": "The first ingest makes gold; where it has, this service does not see the folder that gold is in.",
    "too-many-requests": "Too many requests with this key; wait a moment.",
}

Body = dict[str, Any]


@dataclass(slots=True)
class Trouble(Exception):  # noqa: N818  # it is shown to people, by this name
    """Something could not be answered: a title, what is known of it, and the problem's slug for the code."""

    title: str
    detail: str = ""
    slug: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One workload behind the router, asked with one key on behalf of one person."""

    http: httpx.Client
    address: str
    workload: str
    key: str
    person: str
    """What the router's split goes by: the same person always meets the same track."""

    def get(self, what: str, *, track: str = "", **query: object) -> Body:
        """Return the answer to a question; `track` is for operators."""
        wanted = {name: value for name, value in query.items() if value is not None}
        return self._read(self._send("GET", what, track=track, params=wanted))

    def post(self, what: str, body: Body) -> Body:
        """Send a body and return the answer."""
        return self._read(self._send("POST", what, json=body))

    def batch(self, table: bytes) -> bytes:
        """Send a CSV of questions and return one of forecasts."""
        headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
        answer = self._send("POST", "predict/batch", content=table, extra=headers, timeout=BATCH_SECONDS)
        if answer.status_code >= 300:
            raise _problem(answer)
        return answer.content

    def _send(
        self,
        method: str,
        what: str,
        *,
        track: str = "",
        extra: dict[str, str] | None = None,
        **how: Any,  # noqa: ANN401
    ) -> httpx.Response:
        headers = {
            "X-API-Key": self.key,
            "X-User-Id": self.person,
            **(extra or {}),
            **({"X-Track": track} if track else {}),
        }
        try:
            return self.http.request(method, f"{self.address}/api/{self.workload}/{what}", headers=headers, **how)
        except httpx.HTTPError as error:
            raise away("The router", self.address, error) from error

    def _read(self, answer: httpx.Response) -> Body:
        if answer.status_code >= 300:
            raise _problem(answer)
        body: Body = answer.json()
        return body


def away(who: str, address: str, error: Exception) -> Trouble:
    """Return what is said of a service that could not be asked, and where to look."""
    why = "nothing is there"
    if isinstance(error, httpx.TimeoutException):
        why = "it takes too long"
    elif isinstance(error, httpx.HTTPStatusError):
        why = f"it answers HTTP {error.response.status_code}"
    elif not isinstance(error, httpx.TransportError):
        why = "its answer makes no sense"
    return Trouble(f"{who} does not answer", f"{address}: {why}. {LOOK}", "away")


def _problem(answer: httpx.Response) -> Trouble:
    try:
        said = answer.json()
        slug = str(said["type"]).rpartition("/")[2]
        return Trouble(str(said["title"]), WHAT_TO_DO.get(slug) or plain(str(said.get("detail", ""))), slug)
    except (ValueError, KeyError, TypeError):
        return Trouble("The router answered something unexpected", f"HTTP {answer.status_code}")
