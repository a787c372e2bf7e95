"""What the files in bronze say, as one typed row per record: five eras of archive events, API items, CSV histories, sample totals."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

from ratchet.contracts.workload import LandedFile, Records, Row
from ratchet.workloads.github_activity.shape import plain_event
from ratchet.workloads.github_activity.values import (
    LARGEST_ID,
    as_identifier,
    as_moment,
    as_naive,
    as_name,
    as_number,
    as_object,
    as_text,
    mask,
    masked,
)

COLUMNS: Final = {
    "kind": "VARCHAR",
    "type": "VARCHAR",
    "event_id": "VARCHAR",
    "event_key": "VARCHAR",
    "created_at": "TIMESTAMP",
    "repository": "VARCHAR",
    "repo_id": "BIGINT",
    "actor": "VARCHAR",
    "actor_email": "VARCHAR",
    "action": "VARCHAR",
    "commits": "INTEGER",
    "commits_estimated": "BOOLEAN",
    "merged_at": "TIMESTAMP",
    "language": "VARCHAR",
    "seen_at": "TIMESTAMP",
    "new_stars": "INTEGER",
    "issues_opened": "INTEGER",
    "prs_opened": "INTEGER",
}
ITEM_KINDS: Final = ("commits", "issues", "pull_requests", "stargazers")
_TOTALS: Final = "totals"
_HISTORY_SOURCE: Final = "sample_history"
_API_SOURCE: Final = "github_api"
_FIRST: Final = datetime(2011, 2, 12)  # noqa: DTZ001  # rows are naive UTC, as DuckDB and Snowflake keep them
_TOLERANCE: Final = timedelta(days=1, hours=1)  # until 2014 files are named by Pacific time: up to eight hours behind
_NO_REPOSITORY: Final = frozenset({"FollowEvent", "GistEvent"})


def kind(file: LandedFile) -> str:
    """`hours` of events, `items` of the API, a `snapshot` of a repository, or weekly `totals`."""
    if file.source == _HISTORY_SOURCE:
        return _TOTALS
    if not file.part:
        return "hours"
    return "items" if file.source == _API_SOURCE else "snapshot"


def parse(file: LandedFile, record: Mapping[str, Any]) -> Row | str:
    """The record as a row in the order of `COLUMNS`, or why it is none."""
    if not file.part:
        return _totals(record) if file.source == _HISTORY_SOURCE else _event(file, record)
    return _api_item(file, record) if file.source == _API_SOURCE else _csv_item(file, record)


def quick_event(file: LandedFile, line: bytes) -> Row | None:
    """The row that `parse` makes of an archive event, if it is plain; all others are left to it, which says what is wrong."""
    event = None if file.part or file.source == _HISTORY_SOURCE else plain_event(line)
    moment = _plain_moment(event.created_at, file.hour) if event else None
    if event is None or moment is None:
        return None
    type_, repo, payload, pull = event.type, event.repo, event.payload, event.payload.pull_request
    is_push, action = type_ == "PushEvent", payload.action or None
    commits = 0 if not is_push else 1 if payload.distinct_size is None else payload.distinct_size
    merged = action == "merged" or (action == "closed" and pull is not None and pull.merged is True)
    language = pull.base.repo.language or None if pull and pull.base and pull.base.repo else None
    created, text = moment
    event_id = str(event.id)
    key = _digest(f"{type_} {event_id} {text} {repo.id or repo.name}")
    return (
        *("event", type_, event_id, key, created, repo.name, repo.id, event.actor.login or None, None, action, commits),
        *(is_push and payload.distinct_size is None, created if merged and type_ == "PullRequestEvent" else None),
        *(language, None, None, None, None),
    )


def _event(file: LandedFile, event: Mapping[str, Any]) -> Row | str:
    type_ = as_text(event.get("type"))
    if not type_:
        return "type missing"
    created = _moment(event.get("created_at"), file)
    if isinstance(created, str):
        return created
    payload = as_object(event.get("payload"))
    timeline = "repo" not in event and ("repository" in event or not isinstance(event.get("actor"), dict))
    event_id = as_identifier(event.get("id"))
    if event_id is None and not timeline:
        return "id missing"
    repository, repo_id, language = _repository(event, payload, timeline=timeline)
    if repository is None and not _may_lack_repository(event, type_):
        return "repository missing"
    actor, email = _actor(event)
    action = as_text(payload.get("action"))
    commits, estimated = _commits(payload) if type_ == "PushEvent" else (0, False)
    merged = type_ == "PullRequestEvent" and _is_merged(payload, action)
    key = _key(event, type_, event_id, created, str(repo_id or repository))
    return (
        *("event", type_, event_id, key, created, repository, repo_id, actor, email, action),
        *(commits, estimated, created if merged else None, language, None, None, None, None),
    )


def _key(event: Mapping[str, Any], type_: str, event_id: str | None, created: datetime, repository: str) -> str:
    """The era's key: ids repeat over eras and series, and 2012 to 2014 has none, where only the whole event tells it apart."""
    if event_id is not None:
        return _digest(f"{type_} {event_id} {created} {repository}")
    kept = {name: event[name] for name in ("type", "actor", "created_at", "url", "payload") if name in event}
    return _digest(orjson.dumps([kept, repository], option=orjson.OPT_SORT_KEYS).decode())


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _repository(
    event: Mapping[str, Any], payload: Mapping[str, Any], *, timeline: bool
) -> tuple[str | None, int | None, str | None]:
    if timeline:
        found = as_object(event.get("repository"))
        name = f"{found.get('owner')}/{found.get('name')}" if found.get("owner") else as_text(found.get("name"))
        return as_name(name), as_number(found.get("id"), LARGEST_ID), as_text(found.get("language"))
    found = as_object(event.get("repo"))
    language = _language(payload) if "pull_request" in payload else None
    return as_name(found.get("name")), as_number(found.get("id"), LARGEST_ID), language


def _language(payload: Mapping[str, Any]) -> str | None:
    base = as_object(as_object(as_object(payload.get("pull_request")).get("base")).get("repo"))
    return as_text(base.get("language"))


def _may_lack_repository(event: Mapping[str, Any], type_: str) -> bool:
    # In 2011 a repository that was gone when the crawler came is written as "/", with no id.
    return type_ in _NO_REPOSITORY or as_object(event.get("repo")).get("name") == "/"


def _actor(event: Mapping[str, Any]) -> tuple[str | None, str | None]:
    actor = event.get("actor")
    login = as_text(actor.get("login")) if isinstance(actor, dict) else as_text(actor)
    if "actor_attributes" not in event:
        return login, None
    return login, masked(as_text(as_object(event["actor_attributes"]).get("email")))


def _commits(payload: Mapping[str, Any]) -> tuple[int, bool]:
    """How many commits are new in a push, and whether that is a guess."""
    distinct = as_number(payload.get("distinct_size"))
    if distinct is not None:
        return distinct, False
    shas = payload.get("shas")
    if isinstance(shas, list):
        marks = [sha[4] for sha in shas if isinstance(sha, list) and len(sha) > 4]
        # In 2011 nothing is marked: all that are listed count, and the week says that this is a guess.
        return (sum(mark is True for mark in marks), False) if len(marks) == len(shas) else (len(shas), True)
    return 1, True


def _is_merged(payload: Mapping[str, Any], action: str | None) -> bool:
    return action == "merged" or (action == "closed" and as_object(payload.get("pull_request")).get("merged") is True)


def _api_item(file: LandedFile, record: Mapping[str, Any]) -> Row | str:
    item, kind_ = as_object(record.get("item")), as_text(record.get("kind"))
    if kind_ not in ITEM_KINDS:
        return "kind unknown"
    repository = as_name(record.get("repository"))
    if repository is None:
        return "repository missing"
    commit, author = as_object(item.get("commit")), as_object(as_object(item.get("commit")).get("author"))
    when = {"commits": author.get("date"), "stargazers": item.get("starred_at")}.get(kind_, item.get("created_at"))
    created = _moment(when, file, first=None)
    if isinstance(created, str):
        return created
    user = as_object(item.get({"commits": "author"}.get(kind_, "user")))
    item_id = as_text(item.get("sha")) or as_identifier(item.get("id")) or as_text(user.get("login"))
    if item_id is None:
        return "id missing"
    # The API lists pull requests among the issues; they are counted where they are listed as what they are.
    action = "pull_request" if kind_ == "issues" and "pull_request" in item else None
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


_CSV_MOMENT: Final = {
    "commits": "author_date",
    "issues": "created_at",
    "pull_requests": "created_at",
    "stargazers": "starred_at",
}


def _csv_item(file: LandedFile, record: Mapping[str, Any]) -> Row | str:
    repository, _, kind_ = file.part.rpartition("/")
    column = _CSV_MOMENT.get(kind_)
    if column is None:
        return "kind unknown"
    if column not in record:
        return f"column {column} missing"
    created = _moment(record.get(column) or None, file, first=None, name=column)
    if isinstance(created, str):
        return created
    item_id = next((str(record[name]) for name in ("sha", "id", "number", "user") if record.get(name)), None)
    merged = as_moment(record.get("merged_at")) if kind_ == "pull_requests" else None
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
    key = _digest(f"{kind_} {repository} {item_id}")
    return (
        *(kind_, kind_, item_id, key, created, repository, repo_id, actor, email, action),
        *(int(kind_ == "commits"), False, merged_at, None, seen_at),
        *(int(kind_ == "stargazers"), int(kind_ == "issues" and action is None), int(kind_ == "pull_requests")),
    )


def _totals(record: Mapping[str, Any]) -> Row | str:
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
        *(_TOTALS, _TOTALS, None, key, week, repository, None, None, None, None),
        *(commits, False, None, None, week, *others),
    )


def _moment(
    value: object, file: LandedFile, *, first: datetime | None = _FIRST, name: str = "created_at"
) -> datetime | str:
    if value is None:
        return f"{name} missing"
    found = as_moment(value)
    if found is None:
        return f"{name} unreadable"
    if (first and found < first) or found >= _end(file.hour):
        return f"{name} outside the archive"
    return found


@lru_cache(maxsize=1 << 14)  # an hour's events share its 3,600 seconds
def _plain_moment(text: str, hour: datetime) -> tuple[datetime, str] | None:
    found = as_moment(text)
    return (found, str(found)) if found and _FIRST <= found < _end(hour) else None


@lru_cache(maxsize=64)
def _end(hour: datetime) -> datetime:
    """The moment from which on nothing can be in a file of that hour."""
    return as_naive(hour) + _TOLERANCE


RECORDS: Final = Records(columns=COLUMNS, kind=kind, parse=parse, quick=quick_event, moment="created_at", mask=mask)
