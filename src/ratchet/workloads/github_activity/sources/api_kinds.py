"""How each kind of thing is walked through, so that nothing new is missed and a walk can go on anywhere.

Each walk yields pages with a cursor to go on behind them, and at last a page that may be empty with the cursor for the next walk.
A cursor is a small JSON object; `{}` begins anew.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from ratchet.contracts.errors import NotThereError, SourceError
from ratchet.workloads.github_activity.sources.api_client import Answer, ApiClient, LimitedError, RefusedError
from ratchet.workloads.github_activity.sources.api_pages import PAGE, Cursor, Item, Listed, Page, walk_from_end

log = logging.getLogger(__name__)

_CHANGES: Final = {"number": int, "updated_at": str}
_COMMIT: Final = {"sha": str}
_COMPARED: Final = {"commits": list, "ahead_by": int, "behind_by": int}
_MOST_COMPARED: Final = 10_000
"""A comparison lists no more commits, and does not say so."""
_EMPTY_REPOSITORY: Final = 409
_SWITCHED_OFF: Final = 410
_NO_SUCH_COMMIT: Final = 422
_RUNS_OF_A_COMPARISON: Final = 3
_LAST_PAGE_OF_STARS: Final = 400

Walk = Callable[[ApiClient, str, Cursor], Iterator[Page]]


def commits(api: ApiClient, repository: str, cursor: Cursor) -> Iterator[Page]:
    """Walk the commits of the default branch: all of a pinned head, later those reachable from the new head and not from the old.

    If history was rewritten, those reachable from the old head and not from the new come as well, and are gone. Where the two have nothing
    in common, or the old one was swept away, all of the new head is walked through, and `anew` in the cursor says since when: what was seen
    before and not in that walk is gone. So it is where a comparison has failed in three runs, or is of more commits than it would list; and
    where a head is swept away while it is walked through, with the head of today.
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
            answer = _page_of_comparison(api, url) if compared else api.get(url, has=_COMMIT)
        except SourceError as error:
            failed = _failed_runs(state, error)
            if compared and failed < _RUNS_OF_A_COMPARISON:
                if failed:
                    yield Page(items=(), cursor={**state, "next": url, "failed": failed})
                raise
            pinned = {} if compared else _instead(api, repository, lost=to, error=error)
            log.warning("%s; all commits of %s are walked through anew", error, repository)
            state = {**state, **pinned, "anew": _from_now_on(api)}
            url, to = _all_of(repository, state["to"]), state["to"]
            continue
        items = answer.body["commits"] if compared else answer.body
        url, gone = answer.next_url, compared == back
        if compared and not url and not gone and answer.body["behind_by"]:
            url = f"{repository}/compare/{back}?per_page={PAGE}"
        done = {"head": to, **_anew(state), **({"etag": state["etag"]} if "etag" in state else {})}
        yield Page(items=items, gone=gone, cursor={**state, "next": url} if url else done)


def _anew(cursor: Cursor) -> Cursor:
    return {"anew": cursor["anew"]} if "anew" in cursor else {}


def _page_of_comparison(api: ApiClient, url: str) -> Answer:
    answer = api.get_one(url, has=_COMPARED)
    if max(answer.body["ahead_by"], answer.body["behind_by"]) > _MOST_COMPARED:
        raise NotThereError(
            f"{url}: the two are more than {_MOST_COMPARED:,} commits apart, of which the API lists no more"
        )
    return answer


def _from_now_on(api: ApiClient) -> str:
    """From the next second on: what was seen within this one was seen before."""
    api.newest = (api.now() + timedelta(seconds=1)).replace(microsecond=0)
    return f"{api.newest:%Y-%m-%dT%H:%M:%SZ}"


def _instead(api: ApiClient, repository: str, *, lost: str, error: SourceError) -> Cursor:
    """The head of today as a walk pins it, in place of one that is there no more; the error again if it says anything else."""
    if isinstance(error, NotThereError) or (isinstance(error, RefusedError) and error.status == _NO_SUCH_COMMIT):
        newest = api.get(f"{repository}/commits", has=_COMMIT, per_page="1")
        if newest.body and newest.body[0]["sha"] != lost:
            return {"to": newest.body[0]["sha"], "etag": newest.etag}
    raise error


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
        # Only an answer to the question that the next run will ask has an ETag worth keeping, and a full page stays when a next one opens.
        etag = "" if moved or answer.next_url or len(answer.body) >= PAGE else answer.etag
        kept: Cursor = {"since": since, "seen": sorted(seen), **({"etag": etag} if etag else {})}
        yield Page(items=[item for item in fresh if "pull_request" not in item], cursor=kept)
        if not answer.next_url:
            return
        # More than a page changed in the same second: only the link leads on.
        url, query = (f"{repository}/issues", {**asked, "since": since}) if moved else (answer.next_url, {})


def pull_requests(api: ApiClient, repository: str, cursor: Cursor) -> Iterator[Page]:
    """Walk pull requests by their last change, from the newest down to the newest of the walk before."""
    if "floor" in cursor:  # an earlier version's: up to there everything has landed
        cursor = {"last": cursor["floor"], "seen": cursor.get("seen", [])}
    return walk_from_end(_PULL_REQUESTS, api, f"{repository}/pulls", cursor)


def stargazers(api: ApiClient, repository: str, cursor: Cursor) -> Iterator[Page]:
    """Walk stars from the newest down to the newest one of the walk before; of more than the API lists a `TruncatedError` tells."""
    return walk_from_end(_STARS, api, f"{repository}/stargazers", cursor)


def _who(star: Item) -> int:
    user = star.get("user")
    found = user.get("id") if isinstance(user, dict) else None
    return found if isinstance(found, int) else 0  # an account that is gone has no id


_PULL_REQUESTS: Final = Listed(
    what="pull requests",
    has=_CHANGES,
    time="updated_at",
    who=lambda item: item["number"],
    query={"state": "all", "sort": "updated", "direction": "asc"},
)
_STARS: Final = Listed(
    what="stars",
    has={"starred_at": str},
    time="starred_at",
    who=_who,
    accept="application/vnd.github.star+json",
    most_pages=_LAST_PAGE_OF_STARS,
)


def _all_of(repository: str, head: str) -> str:
    return f"{repository}/commits?sha={head}&per_page={PAGE}"


WALKS: Final[Mapping[str, Walk]] = {
    "commits": commits,
    "issues": issues,
    "pull_requests": pull_requests,
    "stargazers": stargazers,
}
