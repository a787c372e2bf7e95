"""Hour files below an HTTP(S) address, such as https://data.gharchive.org/2015-01-01-0.json.gz."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import httpx

from ratchet.contracts.errors import DataError, NotThereError, SourceError
from ratchet.contracts.source import EVERYTHING, Arrival, Clock, Landings, Piece, Span, utc_now
from ratchet.workloads.github_activity.sources.hours import bronze_file, file_name, newest_whole_hour

_TIMEOUT: Final = httpx.Timeout(60, connect=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourAddress:
    """An address that serves hour files and cannot list them: the hours of the span are asked for, one by one."""

    name: str
    address: str
    span: Span = EVERYTHING
    clock: Clock = utc_now
    by_hour: bool = field(default=True, init=False)
    folders: tuple[()] = field(default=(), init=False)

    def offers(self, landed: Landings) -> Iterator[Piece]:  # noqa: ARG002  # the span says it all
        """Offer every hour from the span's first one to the last one that is over."""
        first = self.span.first
        if first is None:
            raise DataError(
                f"{self.name}: {self.address} cannot list its hours: say from which one, with EVENTS_FROM=2026-01-01 or --from 2026-01-01"
            )
        over = newest_whole_hour(self.clock())
        last = min(self.span.last, over) if self.span.last else over
        for hour in Span(first=first, last=last).hours():
            yield Piece(hour=hour, file=bronze_file(hour), open=partial(self._open, hour))

    def _open(self, hour: datetime, start: int, version: str) -> Arrival:
        url = f"{self.address.rstrip('/')}/{file_name(hour)}"
        headers = {"Accept-Encoding": "identity"}
        if start and version:
            headers |= {"Range": f"bytes={start}-", "If-Range": version}
        with ExitStack() as opened:
            response = _get(url, headers, opened)
            if response.status_code == 416 and start:
                if response.headers.get("Content-Range") == f"bytes */{start}":
                    return Arrival(chunks=iter(()), start=start, version=version)  # it was all there already
                return self._open(hour, 0, "")
            _require_content(response, url)
            chunks = _chunks(response, url, opened.pop_all())
            if response.status_code == 206:
                return Arrival(chunks=chunks, start=_first_byte(response, start, url), version=version)
            return Arrival(chunks=chunks, version=_version(response))


def _get(url: str, headers: dict[str, str], opened: ExitStack) -> httpx.Response:
    try:
        client = opened.enter_context(httpx.Client(timeout=_TIMEOUT, follow_redirects=True))
        return opened.enter_context(client.stream("GET", url, headers=headers))
    except httpx.InvalidURL as error:
        raise SourceError(f"{url}: {error}", lasting=True) from error
    except httpx.HTTPError as error:
        raise SourceError(f"{url}: {_words(error)}") from error


def _require_content(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status in {200, 206}:
        return
    answered = f"{url}: HTTP {status} {response.reason_phrase}".rstrip()
    if status in {404, 410}:
        raise NotThereError(answered)
    wait = response.headers.get("Retry-After", "")
    passing = status >= 500 or status in {408, 425, 429}
    raise SourceError(answered, lasting=not passing, wait_seconds=float(wait) if wait.isdecimal() else 0)


def _chunks(response: httpx.Response, url: str, opened: ExitStack) -> Iterator[bytes]:
    with opened:
        try:
            yield from response.iter_raw()  # as it came: a Content-Encoding is part of what was received
        except httpx.HTTPError as error:
            raise SourceError(f"{url}: {_words(error)}") from error


def _first_byte(response: httpx.Response, start: int, url: str) -> int:
    if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise SourceError(
            f"{url}: asked from byte {start}, got {response.headers.get('Content-Range', 'nothing said')}"
        )
    return start


def _version(response: httpx.Response) -> str:
    """What If-Range can compare: a strong ETag, else the time of the last change (RFC 9110, 13.1.5)."""
    etag = str(response.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


def _words(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
