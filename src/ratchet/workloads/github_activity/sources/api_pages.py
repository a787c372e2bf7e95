"""Pages of what the API lists, and the walk through a list whose newest are its last.

What is taken back or hidden meanwhile moves those behind it onto pages that are still to come, and what is new or changes stands behind
where the walk began: a page may repeat one, none is missed. From the newest on, each one that goes would hide another for good.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ratchet.workloads.github_activity.sources.api_client import JSON, Answer, ApiClient, RefusedError

PAGE: Final = 100
_TOO_MANY_PAGES: Final = 422

Item = Mapping[str, Any]
Cursor = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is new on a page, and where to go on behind it."""

    items: Sequence[Item]
    cursor: Cursor
    gone: bool = False
    """The items were there when they were seen last, and are there no more."""


class TruncatedError(RefusedError):
    """The API lists no more of what there is; everything before `until` was listed."""

    def __init__(self, message: str, *, until: str) -> None:
        super().__init__(message, status=_TOO_MANY_PAGES)
        self.until = until


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list that is sorted by a time, the oldest first."""

    what: str
    has: Mapping[str, type]
    time: str
    who: Callable[[Item], int]
    """Who it is, among those of one second."""
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON
    most_pages: int | None = None
    """The API lists no more of them."""

    def ask(self, api: ApiClient, url: str, page: int, etag: str = "") -> Answer:
        """Ask for one page."""
        query = {**self.query, "per_page": str(PAGE), "page": str(page)}
        return api.get(url, has=self.has, etag=etag, accept=self.accept, **query)

    def truncated(self, url: str, pages: int, last: str) -> TruncatedError:
        """Say that the API lists no more."""
        shown = f"the first {pages * PAGE:,} {self.what} only; later ones are in the archive"
        return TruncatedError(f"{url.rpartition('/')[0]}: the API lists {shown}", until=last)


def walk_from_end(listed: Listed, api: ApiClient, url: str, cursor: Cursor) -> Iterator[Page]:
    """Walk from the newest down to the newest one of the walk before."""
    last, seen, at = cursor.get("last", ""), set(cursor.get("seen", ())), cursor.get("next", 0)
    if at:
        end, answer = cursor["end"], listed.ask(api, url, at)
    else:
        found = _end(listed, api, url, cursor)
        if found is None:
            return
        end, answer = found
        at = end["page"]
    while True:
        new = [
            one
            for one in answer.body
            if one[listed.time] > last or (one[listed.time] == last and listed.who(one) not in seen)
        ]
        if at == 1 or any(one[listed.time] < last for one in answer.body):
            cut, kept = end.pop("is_cut", False), end
            if kept["last"] == last:
                kept = {**kept, "seen": sorted(seen | set(kept["seen"]))}
            yield Page(items=new, cursor=kept)
            if cut:
                raise listed.truncated(url, kept["page"], kept["last"])
            return
        at -= 1
        yield Page(items=new, cursor={"last": last, "seen": sorted(seen), "end": end, "next": at})
        answer = listed.ask(api, url, at)


def _end(listed: Listed, api: ApiClient, url: str, cursor: Cursor) -> tuple[Cursor, Answer] | None:
    """The cursor that stands when all up to today's newest have landed, and the page with it; None if the list is as it was."""
    page, etag, last, is_cut = cursor.get("page", 1), cursor.get("etag", ""), cursor.get("last", ""), False
    while True:
        try:
            answer = listed.ask(api, url, page, etag)
        except RefusedError as error:
            if error.status != _TOO_MANY_PAGES or listed.most_pages is None or page == 1:
                raise
            page, is_cut = page - 1, True
            continue
        if answer.body is None:
            return None
        further = page if is_cut else answer.last_page or page + bool(answer.next_url)
        further = min(further, listed.most_pages or further)
        if further <= page and (answer.body or page == 1):
            break
        page, etag = (further if answer.body else 1), ""
    newest = max((one[listed.time] for one in answer.body if one[listed.time] > last), default=last)
    end: Cursor = {
        "page": page,
        "last": newest,
        "seen": sorted(listed.who(one) for one in answer.body if one[listed.time] == newest),
    }
    full = len(answer.body) >= PAGE
    if is_cut or (full and page == listed.most_pages):
        return {**end, "is_cut": True}, answer
    # A full last page does not change when the next one opens another.
    return (end if full else {**end, "etag": answer.etag}), answer
