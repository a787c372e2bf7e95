"""The REST API's manners: pages, ETags, redirects, rate limits, retries."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from ratchet.contracts.errors import NotThereError, SourceError
from ratchet.contracts.source import Clock

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS: Final = 70 * 60
"""A primary limit is over within the hour; a longer wait is left to a later run."""
JSON: Final = "application/vnd.github+json"
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_AGES_SECONDS: Final = 366 * 86_400.0
"""What is asked for beyond it, such as a time in milliseconds, is no more of a wait."""
_NOTHING: Final[Mapping[str, type]] = {}
_TRIES: Final = 5
_FIRST_WAIT_SECONDS: Final = 1.0
_SECONDARY_WAIT_SECONDS: Final = 60.0
_MOST_APART: Final = timedelta(hours=1)
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = {301, 302, 307, 308}


class RefusedError(SourceError):
    """An answer that stays the same however often it is asked for."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message, lasting=True)
        self.status = status


class LimitedError(SourceError):
    """A rate limit that lasts longer than this run is ready to wait."""


class ClockError(SourceError):
    """This machine's clock is not the API's: what it says of when something was asked for would stay wrong in what lands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A page; `body` is None where nothing has changed since the ETag that was sent."""

    body: Any
    next_url: str
    """The page after this one, from the Link header, as a path; empty at the last one."""
    last_page: int
    """The number of the last page, from the same header; 0 at the last one."""
    etag: str


class ApiClient:
    """Asks one question at a time. Waits for rate limits and says how long, retries what passes, follows renamed repositories."""

    def __init__(self, http: httpx.Client, *, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http, self._clock, self._sleep = http, clock, sleep
        self._free_at: datetime | None = None
        self.newest = LONG_AGO
        """When something of what is walked through was seen last."""

    def now(self) -> datetime:
        """When what was answered last is seen: the time, but never before `newest`, though the clock was set back."""
        self.newest = max(self.newest, self._clock())
        return self.newest

    def get(
        self,
        url: str,
        *,
        has: Mapping[str, type] = _NOTHING,
        etag: str = "",
        accept: str = JSON,
        **query: str,
    ) -> Answer:
        """Return the page at a path of the API or at a full address that an earlier answer gave.

        A `SourceError` if it is none, whatever its status: a page is a list of objects that have the fields `has`, of these types.
        """
        headers = {"Accept": accept, **({"If-None-Match": etag} if etag else {})}
        return self._ask(url, headers, query, lambda body: isinstance(body, list) and all(_has(it, has) for it in body))

    def get_one(self, url: str, *, has: Mapping[str, type], etag: str = "") -> Answer:
        """Return a single object that has these fields, in the same way."""
        headers = {"Accept": JSON, **({"If-None-Match": etag} if etag else {})}
        return self._ask(url, headers, {}, lambda body: _has(body, has))

    def _ask(
        self, url: str, headers: dict[str, str], query: dict[str, str], is_answer: Callable[[object], bool]
    ) -> Answer:
        response = self._follow(self._http.build_request("GET", url, headers=headers, params=query or None))
        etag = headers.get("If-None-Match", "")
        changed = response.status_code != 304 or not etag
        return Answer(
            body=_body(response, is_answer) if changed else None,
            next_url=self._from_home(response.links.get("next", {}).get("url", "")),
            last_page=_page_number(response.links.get("last", {}).get("url", "")),
            etag=response.headers.get("ETag", "") if changed else etag,
        )

    def _follow(self, request: httpx.Request) -> httpx.Response:
        for _ in range(_MOST_REDIRECTS):
            response = self._send(request)
            if response.status_code not in _REDIRECTS:
                return response
            there = request.url.join(response.headers.get("Location", ""))
            headers = {name: request.headers[name] for name in ("Accept", "If-None-Match") if name in request.headers}
            request = self._http.build_request("GET", there, headers=headers)
        raise RefusedError(f"{request.url}: redirected {_MOST_REDIRECTS} times", status=508)

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Return an answer that is neither a limit nor a passing failure; a `SourceError` after five tries of either kind."""
        failures = limits = 0
        self._require_home(request)
        while True:
            self._wait_until_free()
            try:
                response = self._http.send(request)
            except httpx.HTTPError as error:
                problem = f"{request.url}: {type(error).__name__}: {error}"
            else:
                self._require_time(response)
                if (wait := self._limit_seconds(response, limits)) is not None:
                    limits += 1
                    if limits >= _TRIES:
                        raise LimitedError(f"{request.url}: still limited after {limits} waits: {_message(response)}")
                    self._free_at = self._in(wait)
                    continue
                if response.status_code < 500:
                    self._note_remaining(response)
                    return _accepted(response)
                problem = f"{request.url}: HTTP {response.status_code} {response.reason_phrase}"
            failures += 1
            if failures >= _TRIES:
                raise SourceError(problem)
            self._sleep(_FIRST_WAIT_SECONDS * 2 ** (failures - 1))

    def _from_home(self, url: str) -> str:
        """A link as a path of the API, so that a kept one still leads there when the API has moved; any other as it is."""
        home, there = self._http.base_url, httpx.URL(url)
        path = there.raw_path.decode()
        return f"/{path.removeprefix(home.raw_path.decode())}" if url and _origin(there) == _origin(home) else url

    def _require_home(self, request: httpx.Request) -> None:
        """The token goes nowhere but to the API's own address, whatever a link or a redirect says."""
        if _origin(request.url) != _origin(self._http.base_url):
            raise RefusedError(
                f"the API leads away to {request.url.scheme}://{request.url.host}: not followed", status=508
            )

    def _require_time(self, response: httpx.Response) -> None:
        """By this machine's clock it is told until when a kind is known, and which dates can be: no run may go by a wrong one."""
        there, here = _date(response), self._clock()
        if there is not None and abs(there - here) > _MOST_APART:
            raise ClockError(
                f"it is {there:%Y-%m-%d %H:%M} UTC at the API and {here:%Y-%m-%d %H:%M} here: set the clock"
            )

    def _limit_seconds(self, response: httpx.Response, limits: int) -> float | None:
        """How long a limit asks to wait, by the API's own rules in their order; None if this answer is no limit."""
        if response.status_code not in {403, 429}:
            return None
        if (after := response.headers.get("Retry-After", "")).isdecimal():
            return float(after)
        if response.headers.get("X-RateLimit-Remaining") == "0":
            return self._seconds_until_reset(response)
        if response.status_code == 429 or "rate limit" in _message(response).lower():
            return float(_SECONDARY_WAIT_SECONDS * 2**limits)
        return None

    def _note_remaining(self, response: httpx.Response) -> None:
        if response.headers.get("X-RateLimit-Remaining") == "0" and "X-RateLimit-Reset" in response.headers:
            self._free_at = self._in(self._seconds_until_reset(response))

    def _in(self, seconds: float) -> datetime:
        return self._clock() + timedelta(seconds=min(seconds, _AGES_SECONDS))

    def _seconds_until_reset(self, response: httpx.Response) -> float:
        reset = response.headers.get("X-RateLimit-Reset", "")
        seconds = float(reset) - self._clock().timestamp() if reset.isdecimal() else _SECONDARY_WAIT_SECONDS
        return max(seconds, 0) + 1  # their clock and ours may differ within the second

    def _wait_until_free(self) -> None:
        if self._free_at is None:
            return
        seconds = math.ceil((self._free_at - self._clock()).total_seconds())
        until = f"{self._free_at.astimezone(UTC):%H:%M:%S} UTC"
        if seconds > LONGEST_WAIT_SECONDS:
            raise LimitedError(
                f"rate limit until {until}, {timedelta(seconds=seconds)} from now; what landed stays, run it again then"
            )
        if seconds > 0:
            log.warning("rate limit: waiting %s, until %s", timedelta(seconds=seconds), until)
            self._sleep(seconds)
        self._free_at = None


def _date(response: httpx.Response) -> datetime | None:
    try:
        date = parsedate_to_datetime(response.headers["Date"])
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None


def _page_number(url: str) -> int:
    number = httpx.URL(url).params.get("page", "")
    return int(number) if number.isdecimal() else 0


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _accepted(response: httpx.Response) -> httpx.Response:
    status = response.status_code
    if status < 400:
        return response
    words = f"{response.request.url.path}: HTTP {status}: {_message(response)}"
    if status == 404:
        raise NotThereError(words)
    if status == 401:
        raise RefusedError(f"the API does not accept GITHUB_TOKEN ({words})", status=status)
    raise RefusedError(words, status=status)


def _body(response: httpx.Response, is_answer: Callable[[object], bool]) -> Any:  # noqa: ANN401  # JSON
    try:
        body = response.json()
    except ValueError:
        body = None
    if is_answer(body):
        return body
    said = " ".join(response.text[:80].split()) or "nothing"
    raise SourceError(f"{response.request.url.path}: HTTP {response.status_code}, but no answer of the API: {said}")


def _has(found: object, fields: Mapping[str, type]) -> bool:
    return isinstance(found, dict) and all(isinstance(found.get(name), kind) for name, kind in fields.items())


def _message(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.text[:200]
    return str(body.get("message", "")) if isinstance(body, dict) else ""
