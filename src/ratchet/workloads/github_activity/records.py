"""What the files in bronze say, as one typed row per record: five eras of archive events, and what histories hold."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from ratchet.contracts.workload import LandedFile, Records, Row
from ratchet.workloads.github_activity.histories import TOTALS, api_item, csv_item, totals
from ratchet.workloads.github_activity.shape import plain_event
from ratchet.workloads.github_activity.values import (
    LARGEST_ID,
    as_identifier,
    as_moment,
    as_name,
    as_number,
    as_object,
    as_text,
    digest,
    end_of,
    mask,
    masked,
    within,
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
_HISTORY_SOURCE: Final = "sample_history"
_API_SOURCE: Final = "github_api"
_FIRST: Final = datetime(2011, 2, 12)  # noqa: DTZ001  # rows are naive UTC, as DuckDB and Snowflake keep them
_NO_REPOSITORY: Final = frozenset({"FollowEvent", "GistEvent"})


def kind(file: LandedFile) -> str:
    """`hours` of events, `items` of the API, a `snapshot` of a repository, or weekly `totals`."""
    if file.source == _HISTORY_SOURCE:
        return TOTALS
    if not file.part:
        return "hours"
    return "items" if file.source == _API_SOURCE else "snapshot"


def parse(file: LandedFile, record: Mapping[str, Any]) -> Row | str:
    """The record as a row in the order of `COLUMNS`, or why it is none."""
    if not file.part:
        return totals(record) if file.source == _HISTORY_SOURCE else _event(file, record)
    return api_item(file, record) if file.source == _API_SOURCE else csv_item(file, record)


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
    key = digest(f"{type_} {event_id} {text} {repo.id or repo.name}")
    return (
        *("event", type_, event_id, key, created, repo.name, repo.id, event.actor.login or None, None, action, commits),
        *(is_push and payload.distinct_size is None, created if merged and type_ == "PullRequestEvent" else None),
        *(language, None, None, None, None),
    )


def _event(file: LandedFile, event: Mapping[str, Any]) -> Row | str:
    type_ = as_text(event.get("type"))
    if not type_:
        return "type missing"
    created = within(event.get("created_at"), file.hour, first=_FIRST)
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
    if key is None:
        return "nested too deeply"
    return (
        *("event", type_, event_id, key, created, repository, repo_id, actor, email, action),
        *(commits, estimated, created if merged else None, language, None, None, None, None),
    )


def _key(event: Mapping[str, Any], type_: str, event_id: str | None, created: datetime, repository: str) -> str | None:
    """The era's key: ids repeat over eras and series, and 2012 to 2014 has none, where only the whole event tells it apart.

    None if the event is nested more deeply than can be written.
    """
    if event_id is not None:
        return digest(f"{type_} {event_id} {created} {repository}")
    kept = {name: event[name] for name in ("type", "actor", "created_at", "url", "payload") if name in event}
    try:
        return digest(orjson.dumps([kept, repository], option=orjson.OPT_SORT_KEYS).decode())
    except orjson.JSONEncodeError:
        return None


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


@lru_cache(maxsize=1 << 14)  # an hour's events share its 3,600 seconds
def _plain_moment(text: str, hour: datetime) -> tuple[datetime, str] | None:
    found = as_moment(text)
    return (found, str(found)) if found and _FIRST <= found < end_of(hour) else None


RECORDS: Final = Records(columns=COLUMNS, kind=kind, parse=parse, quick=quick_event, moment="created_at", mask=mask)
