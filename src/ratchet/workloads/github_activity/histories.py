"""What histories of repositories hold, as one typed row per record: items of the API, rows of CSV files, totals of the sample."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ratchet.contracts.workload import LandedFile, Row
from ratchet.workloads.github_activity.values import (
    LARGEST_ID,
    as_identifier,
    as_moment,
    as_naive,
    as_name,
    as_number,
    as_object,
    as_text,
    digest,
    mask,
    masked,
    within,
)

ITEM_KINDS: Final = ("commits", "issues", "pull_requests", "stargazers")
TOTALS: Final = "totals"
GONE: Final = "gone"
"""What an item does that is there no more."""
_ANEW: Final = "anew"
_WALK: Final = "walk"
# Imported commits may be older than git, but hardly any than CVS; what is, was dated by a clock that was never set.
_FIRST: Final = datetime(1990, 1, 1)  # noqa: DTZ001  # rows are naive UTC


def api_item(file: LandedFile, record: Mapping[str, Any]) -> Row | str:
    """One item of the API as a row, or why it is none."""
    item, kind_ = as_object(record.get("item")), as_text(record.get("kind"))
    if kind_ not in (*ITEM_KINDS, _WALK):
        return "kind unknown"
    repository = as_name(record.get("repository"))
    if repository is None:
        return "repository missing"
    if kind_ == _WALK:
        return _walk(file, record, repository)
    commit, author = as_object(item.get("commit")), as_object(as_object(item.get("commit")).get("author"))
    when = {"commits": author.get("date"), "stargazers": item.get("starred_at")}.get(kind_, item.get("created_at"))
    created = within(when, file.hour, first=_FIRST)
    if isinstance(created, str):
        return created
    user = as_object(item.get({"commits": "author"}.get(kind_, "user")))
    item_id = as_text(item.get("sha")) or as_identifier(item.get("id"))
    if kind_ == "stargazers":  # of an account that is gone nothing but the moment is left
        item_id = as_identifier(user.get("id")) or as_text(user.get("login")) or str(created)
    if item_id is None:
        return "id missing"
    action = GONE if record.get("gone") is True else None
    if kind_ == "issues" and "pull_request" in item:
        action = "pull_request"  # the API lists them among the issues; they are counted where they are listed as what they are
    merged = as_moment(item.get("merged_at")) if kind_ == "pull_requests" else None
    email = masked(as_text(author.get("email"))) if commit else None
    return _item(
        kind_,
        item_id,
        created,
        repository,
        repo_id=as_number(record.get("repo_id"), LARGEST_ID),
        actor=as_text(user.get("login")),
        email=email,
        action=action,
        merged_at=merged,
        seen_at=as_moment(record.get("fetched_at")) or as_naive(file.hour),
    )


def _walk(file: LandedFile, record: Mapping[str, Any], repository: str) -> Row | str:
    """Until when a kind of a repository is known, whether or not there was anything new; or since when only what was seen counts."""
    item = as_object(record.get("item"))
    action = _ANEW if _ANEW in item else None
    name = action or "until"
    kind_, until = as_text(item.get("kind")), within(item.get(name), file.hour, first=_FIRST, name=name)
    if kind_ not in ITEM_KINDS:
        return "kind unknown"
    if isinstance(until, str):
        return until
    repo_id, seen_at = as_number(record.get("repo_id"), LARGEST_ID), as_moment(record.get("fetched_at"))
    key = digest(f"{_WALK} {kind_} {repo_id or repository}")
    return (
        *(_WALK, kind_, None, key, until, repository, repo_id, None, None, action),
        *(0, False, None, None, seen_at or as_naive(file.hour), 0, 0, 0),
    )


_CSV_MOMENT: Final = {
    "commits": "author_date",
    "issues": "created_at",
    "pull_requests": "created_at",
    "stargazers": "starred_at",
}


def csv_item(file: LandedFile, record: Mapping[str, Any]) -> Row | str:
    """One row of a CSV history as a row of ours, or why it is none."""
    repository, _, kind_ = file.part.rpartition("/")
    column = _CSV_MOMENT.get(kind_)
    if column is None:
        return "kind unknown"
    if column not in record:
        return f"column {column} missing"
    created = within(_cell(record, column), file.hour, first=_FIRST, name=column)
    if isinstance(created, str):
        return created
    names = ("user",) if kind_ == "stargazers" else ("sha", "id", "number")  # one may do many things, and star once
    item_id = next((str(record[name]) for name in names if record.get(name)), None)
    merged = as_moment(_cell(record, "merged_at")) if kind_ == "pull_requests" else None
    actor = as_text(record.get("author")) or as_text(record.get("user"))
    return _item(
        kind_,
        item_id,
        created,
        repository,
        actor=mask(actor) if actor else None,
        merged_at=merged,
        seen_at=as_naive(file.hour),
    )


def _cell(record: Mapping[str, Any], column: str) -> str | None:
    """What a cell holds, without the blank that some write after each comma; None if that is nothing."""
    return str(record.get(column) or "").strip() or None


def _item(  # noqa: PLR0913  # a row of the table, by name
    kind_: str,
    item_id: str | None,
    created: datetime,
    repository: str,
    *,
    seen_at: datetime,
    repo_id: int | None = None,
    actor: str | None = None,
    email: str | None = None,
    action: str | None = None,
    merged_at: datetime | None = None,
) -> Row:
    key = digest(f"{kind_} {repo_id or repository} {item_id}")  # the id outlives the name
    return (
        *(kind_, kind_, item_id, key, created, repository, repo_id, actor, email, action),
        *(int(kind_ == "commits"), False, merged_at, None, seen_at),
        *(int(kind_ == "stargazers"), int(kind_ == "issues" and action is None), int(kind_ == "pull_requests")),
    )


def totals(record: Mapping[str, Any]) -> Row | str:
    """A repository's totals of one week as a row, or why they are none."""
    repository, week = as_name(record.get("repository")), as_moment(record.get("week"))
    counts = [as_number(record.get(name)) for name in ("commits", "new_stars", "issues_opened", "prs_opened")]
    if repository is None:
        return "repository missing"
    if week is None:
        return "week unreadable"
    if None in counts:
        return "count unreadable"
    commits, *others = counts
    key = f"{repository} {week:%Y-%m-%d}"
    return (
        *(TOTALS, TOTALS, None, key, week, repository, None, None, None, None),
        *(commits, False, None, None, week, *others),
    )
