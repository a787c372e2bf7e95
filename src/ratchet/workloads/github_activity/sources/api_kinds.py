"""How each kind of thing is walked through, so that nothing new is missed and a walk can go on anywhere.

Each walk yields pages with a cursor to go on behind them, and at last a page that may be empty with the cursor for the next walk.
A cursor is a small JSON object; `{}` begins anew.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ratchet.contracts.errors import NotThereError, SourceError
from ratchet.workloads.github_activity.sources.api_client import Answer, ApiClient, LimitedError, RefusedError

log = logging.getLogger(__name__)

PAGE: Final = 100
_STARS_WITH_TIME: Final = "application/vnd.github.star+json"
_CHANGES: Final = {"number": int, "updated_at": str}
_COMMIT: Final = {"sha": str}
_COMPARED: Final = {"commits": list, "behind_by": int}
_STAR: Final = {"starred_at": str}
_EMPTY_REPOSITORY: Final = 409
_SWITCHED_OFF: Final = 410
_TOO_MANY_PAGES: Final = 422
_LAST_PAGE_OF_STARS: Final = 400
_RUNS_OF_A_COMPARISON: Final = 3

Item = Mapping[str, Any]
Cursor = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is new on a page, and where to go on behind it."""

    items: Sequence[Item]
    cursor: Cursor
    gone: bool = False
    """The items were there when they were seen last, and are there no more."""


Walk = Callable[[ApiClient, str, Cursor], Iterator[Page]]


class TruncatedError(RefusedError):
    """The API lists no more of what there is; everything before `until` was listed."""

    def __init__(self, message: str, *, until: str) -> None:
        super().__init__(message, status=_TOO_MANY_PAGES)
        self.until = until


def commits(api: ApiClient, repository: str, cursor: Cursor) -> Iterator[Page]:
    """Walk the commits of the default branch: all of a pinned head, later those reachable from the new head and not from the old.

    If history was rewritten, those reachable from the old head and not from the new come as well, and are gone. Where the two have nothing
    in common, or the old one was swept away, all of the new head is walked through, and `anew` in the cursor says since when: what was seen
    before and not in that walk is gone. So it is where a comparison has failed in three runs: some are too large to be answered.
    Dates would not do: a merge brings commits that are older than the newest one seen.
    """
    state = cursor if cursor.get("next") else _look_at_head(api, repository, cursor)
    if "next" not in state:
        if state != cursor:
            yield Page(items=(), cursor=state)
        return
    url, to, back = state["next"], state["to"], f"{state['to']}...{state['head']}"
    while url:
        compared = _comparison(url)
        try:
            answer = api.get_one(url, has=_COMPARED) if compared else api.get(url, has=_COMMIT)
        except SourceError as error:
            failed = _failed_runs(state, error) if compared else 0
            if failed < _RUNS_OF_A_COMPARISON:
                if failed:
                    yield Page(items=(), cursor={**state, "next": url, "failed": failed})
                raise
            log.warning("%s; all commits of %s are walked through anew", error, repository)
            url, state = _all_of(repository, to), {**state, "anew": f"{api.now():%Y-%m-%dT%H:%M:%SZ}"}
            continue
        items = answer.body["commits"] if compared else answer.body
        url, gone = answer.next_url, compared == back
        if compared and not url and not gone and answer.body["behind_by"]:
            url = f"{repository}/compare/{back}?per_page={PAGE}"
        done = {"head": to, **_anew(state), **({"etag": state["etag"]} if "etag" in state else {})}
        yield Page(items=items, gone=gone, cursor={**state, "next": url} if url else done)


def _anew(cursor: Cursor) -> Cursor:
    return {"anew": cursor["anew"]} if "anew" in cursor else {}


def _failed_runs(cursor: Cursor, error: SourceError) -> int:
    """In how many runs a comparison has failed: as good as in all where two have nothing in common; 0 where it was not answered at all."""
    if isinstance(error, NotThereError):
        return _RUNS_OF_A_COMPARISON
    return 0 if error.lasting or isinstance(error, LimitedError) else int(cursor.get("failed", 0)) + 1


def _comparison(url: str) -> str:
    """The two that are compared, `old...new`; empty for any other question."""
    last = url.partition("?")[0].rpartition("/")[2]
    return last if "..." in last else ""


def _look_at_head(api: ApiClient, repository: str, cursor: Cursor) -> Cursor:
    """The cursor of a walk to the head of today; without `next` if there is nothing to walk to."""
    head = cursor.get("head", "")
    try:
        newest = api.get(f"{repository}/commits", has=_COMMIT, etag=cursor.get("etag", ""), per_page="1")
    except RefusedError as error:
        if error.status == _EMPTY_REPOSITORY:
            return cursor
        raise
    if not newest.body:
        return cursor
    to, known = newest.body[0]["sha"], {"head": head, "etag": newest.etag, **_anew(cursor)}
    if to == head:
        return known
    compared = f"{repository}/compare/{head}...{to}?per_page={PAGE}"
    return {**known, "to": to, "next": compared if head else _all_of(repository, to)}


def issues(api: ApiClient, repository: str, cursor: Cursor) -> Iterator[Page]:
    """Walk issues by their last change, oldest change first. Each question starts at the last change seen: no page can shift."""
    since, seen, etag = cursor.get("since", ""), set(cursor.get("seen", ())), cursor.get("etag", "")
    asked = {"state": "all", "sort": "updated", "direction": "asc", "per_page": str(PAGE)}
    url, query = f"{repository}/issues", {**asked, **({"since": since} if since else {})}
    while True:
        try:
            answer = api.get(url, has=_CHANGES, etag=etag, **query)
        except RefusedError as error:
            if error.status == _SWITCHED_OFF:
                return
            raise
        if answer.body is None:
            return
        fresh = [item for item in answer.body if item["updated_at"] > since or item["number"] not in seen]
        last = max((item["updated_at"] for item in answer.body), default=since)
        at_last = {item["number"] for item in answer.body if item["updated_at"] == last}
        moved, since = last > since, last
        seen = at_last if moved else seen | at_last
        # Only an answer to the question that the next run will ask has an ETag worth keeping.
        etag = "" if moved or answer.next_url else answer.etag
        kept: Cursor = {"since": since, "seen": sorted(seen), **({"etag": etag} if etag else {})}
        yield Page(items=[item for item in fresh if "pull_request" not in item], cursor=kept)
        if not answer.next_url:
            return
        # More than a page changed in the same second: only the link leads on.
        url, query = (f"{repository}/issues", {**asked, "since": since}) if moved else (answer.next_url, {})


def pull_requests(api: ApiClient, repository: str, cursor: Cursor) -> Iterator[Page]:
    """Walk pull requests by their last change, newest first, down to the newest change of the walk before.

    What changes meanwhile moves to the front, which shifts the pages behind a repeated item, never a missed one.
    """
    floor, seen = cursor.get("floor", ""), set(cursor.get("seen", ()))
    url, mark, at_mark = cursor.get("next", ""), cursor.get("mark", ""), cursor.get("at_mark", [])
    etag = "" if url else cursor.get("etag", "")
    query = {} if url else {"state": "all", "sort": "updated", "direction": "desc", "per_page": str(PAGE)}
    answer = api.get(url or f"{repository}/pulls", has=_CHANGES, etag=etag, **query)
    if answer.body is None:
        return
    if not mark:
        etag = answer.etag
        mark = answer.body[0]["updated_at"] if answer.body else floor
        at_mark = [item["number"] for item in answer.body if item["updated_at"] == mark]
    while True:
        new = [
            item
            for item in answer.body
            if item["updated_at"] > floor or (item["updated_at"] == floor and item["number"] not in seen)
        ]
        if not answer.next_url or any(item["updated_at"] < floor for item in answer.body):
            yield Page(items=new, cursor={"floor": mark, "seen": at_mark, **({"etag": etag} if etag else {})})
            return
        going = {"floor": floor, "seen": sorted(seen), "mark": mark, "at_mark": at_mark, "next": answer.next_url}
        yield Page(items=new, cursor=going)
        answer = api.get(answer.next_url, has=_CHANGES)


def stargazers(api: ApiClient, repository: str, cursor: Cursor) -> Iterator[Page]:
    """Walk stars from the newest down to the newest one of the walk before.

    The list begins with the oldest. A star that is taken back meanwhile moves those behind it onto pages that are still to come, and a
    new one stands behind where the walk began: a page may repeat a star, none is missed.
    """
    last, seen, at = cursor.get("last", ""), set(cursor.get("seen", ())), cursor.get("next", 0)
    if at:
        end, answer = cursor["end"], _stars(api, repository, at)
    else:
        found = _end_of_stars(api, repository, cursor)
        if found is None:
            return
        end, answer = found
        at = end["page"]
    while True:
        new = [
            star
            for star in answer.body
            if star["starred_at"] > last or (star["starred_at"] == last and _who(star) not in seen)
        ]
        if at == 1 or any(star["starred_at"] < last for star in answer.body):
            cut, kept = end.pop("is_cut", False), end
            if kept["last"] == last:
                kept = {**kept, "seen": sorted(seen | set(kept["seen"]))}
            yield Page(items=new, cursor=kept)
            if cut:
                raise _truncated(repository, kept["page"], kept["last"])
            return
        at -= 1
        yield Page(items=new, cursor={"last": last, "seen": sorted(seen), "end": end, "next": at})
        answer = _stars(api, repository, at)


def _end_of_stars(api: ApiClient, repository: str, cursor: Cursor) -> tuple[Cursor, Answer] | None:
    """The cursor that stands when all stars up to today's newest have landed, and the page with it; None if the list is as it was."""
    page, etag, last, is_cut = cursor.get("page", 1), cursor.get("etag", ""), cursor.get("last", ""), False
    while True:
        try:
            answer = _stars(api, repository, page, etag)
        except RefusedError as error:
            if error.status != _TOO_MANY_PAGES or page == 1:
                raise
            page, is_cut = page - 1, True
            continue
        if answer.body is None:
            return None
        further = page if is_cut else min(answer.last_page or page + bool(answer.next_url), _LAST_PAGE_OF_STARS)
        if further <= page and (answer.body or page == 1):
            break
        page, etag = (further if answer.body else 1), ""
    newest = max((star["starred_at"] for star in answer.body if star["starred_at"] > last), default=last)
    end: Cursor = {
        "page": page,
        "last": newest,
        "seen": sorted(_who(star) for star in answer.body if star["starred_at"] == newest),
    }
    full = len(answer.body) >= PAGE
    if is_cut or (full and page == _LAST_PAGE_OF_STARS):
        return {**end, "is_cut": True}, answer
    # A full last page does not change when the next star opens another one.
    return (end if full else {**end, "etag": answer.etag}), answer


def _stars(api: ApiClient, repository: str, page: int, etag: str = "") -> Answer:
    query = {"per_page": str(PAGE), "page": str(page)}
    return api.get(f"{repository}/stargazers", has=_STAR, etag=etag, accept=_STARS_WITH_TIME, **query)


def _truncated(repository: str, pages: int, last: str) -> TruncatedError:
    stars = f"the first {pages * PAGE:,} stars only; later ones are in the archive"
    return TruncatedError(f"{repository}: the API lists {stars}", until=last)


def _who(star: Item) -> int:
    user = star.get("user")
    found = user.get("id") if isinstance(user, dict) else None
    return found if isinstance(found, int) else 0  # an account that is gone has no id


def _all_of(repository: str, head: str) -> str:
    return f"{repository}/commits?sha={head}&per_page={PAGE}"


WALKS: Final[Mapping[str, Walk]] = {
    "commits": commits,
    "issues": issues,
    "pull_requests": pull_requests,
    "stargazers": stargazers,
}
