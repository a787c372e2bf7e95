"""The sample's last week as hour files: synthetic events in GH Archive's shape since October 2025, flaws included."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ratchet.workloads.github_activity.sample_series import LAST_WEEK, TARGETS

HOURS: Final = 168
FIRST_HOUR: Final = datetime(LAST_WEEK.year, LAST_WEEK.month, LAST_WEEK.day, tzinfo=UTC) - timedelta(days=6)
DUPLICATES: Final = 12
_STAR: Final = '"type":"WatchEvent","repo":{"id":1,"name":"sample/busy-monolith"},"payload":{"action":"started"}'
MALFORMED: Final = (
    (5, '{"id":"5200000001","type":"WatchEvent","repo":{"id":1,"na'),
    (29, "<html><body>502 Bad Gateway</body></html>"),
    (47, '["an","array","is","no","event"]'),
    (71, '{"id":"5200000002","type":"WatchEvent","payload":{},"created_at":"2026-11-11T23:10:00Z"}'),
    (90, f'{{"id":"5200000003",{_STAR}}}'),
    (122, f'{{"id":"5200000004",{_STAR},"created_at":"2099-01-01T00:00:00Z"}}'),
    (150, f'{{{_STAR},"created_at":"2026-11-15T06:00:00Z"}}'),
)

_SEED: Final = "20261115 events"
_USERS: Final = 90
_BOT: Final = "sample-helper[bot]"
_BOT_SHARE: Final = 0.04
_LATE_SHARE: Final = 0.03
_UNCOUNTED_SHARE: Final = 0.25

_Event = dict[str, Any]


def hour_files(counts: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[datetime, bytes]]:
    """Yield the last week's hours with their lines; accepted events add up to `counts`, in the order of `TARGETS`."""
    source = random.Random(_SEED)  # noqa: S311  # a reproducible sample, not a secret
    lines: dict[int, list[str]] = defaultdict(list)
    for event in _events(source, counts):
        lines[_landing_hour(source, event)].append(json.dumps(event, separators=(",", ":")))
    _repeat_some(source, lines)
    for hour, line in MALFORMED:
        lines[hour].append(line)
    for hour in range(HOURS):
        source.shuffle(lines[hour])
        yield FIRST_HOUR + timedelta(hours=hour), "".join(f"{line}\n" for line in lines[hour]).encode()


def _events(source: random.Random, counts: Mapping[str, tuple[int, ...]]) -> Iterator[_Event]:
    """Ids as in the archive: pushes and creations in one series, all other types in another."""
    next_id = {True: 6_900_000_000, False: 5_400_000_000}
    for number, (repository, row) in enumerate(counts.items(), start=1):
        for kind in _kinds(source, row):
            series = kind in {"commits", "create"}
            next_id[series] += source.randrange(1, 4000)
            yield _event(source, kind, {"id": 1_100_000_000 + number, "name": repository}, next_id[series])


def _kinds(source: random.Random, row: tuple[int, ...]) -> Iterator[str]:
    for target, count in zip(TARGETS, row, strict=True):
        yield from [target] * count
    yield from source.choices(("comment", "close", "merge", "fork", "create"), k=round(sum(row) * _UNCOUNTED_SHARE))


def _event(source: random.Random, kind: str, repo: _Event, event_id: int) -> _Event:
    user = 0 if source.random() < _BOT_SHARE else source.randrange(1, _USERS)
    name = f"sample-user-{user}" if user else _BOT
    event_type, payload = _payload(source, kind, repo)
    return {
        "id": str(event_id),
        "type": event_type,
        "actor": {"id": 200_000_000 + user, "login": name, "display_login": name, "gravatar_id": ""},
        "repo": {**repo, "url": f"https://api.github.com/repos/{repo['name']}"},
        "payload": payload,
        "public": True,
        "created_at": f"{_moment(source):%Y-%m-%dT%H:%M:%SZ}",
        "org": {"id": 300_000_000, "login": "sample"},
    }


def _payload(source: random.Random, kind: str, repo: _Event) -> tuple[str, _Event]:
    number = source.randrange(1, 5000)
    pull = {"id": 3_000_000_000 + number, "number": number, "base": {"ref": "main", "repo": repo}}
    payloads: dict[str, tuple[str, _Event]] = {
        "commits": (
            "PushEvent",
            {
                "repository_id": repo["id"],
                "push_id": number,
                "ref": "refs/heads/main",
                "head": _sha(source),
                "before": _sha(source),
            },
        ),
        "new_stars": ("WatchEvent", {"action": "started"}),
        "issues_opened": ("IssuesEvent", {"action": "opened", "issue": {"number": number, "state": "open"}}),
        "prs_opened": ("PullRequestEvent", {"action": "opened", "number": number, "pull_request": pull}),
        "merge": ("PullRequestEvent", {"action": "merged", "number": number, "pull_request": pull}),
        "close": ("IssuesEvent", {"action": "closed", "issue": {"number": number, "state": "closed"}}),
        "comment": ("IssueCommentEvent", {"action": "created", "issue": {"number": number, "state": "open"}}),
        "fork": ("ForkEvent", {"action": "forked", "forkee": {"id": 1_200_000_000 + number}}),
        "create": (
            "CreateEvent",
            {"ref": f"topic-{number}", "ref_type": "branch", "master_branch": "main", "pusher_type": "user"},
        ),
    }
    return payloads[kind]


def _sha(source: random.Random) -> str:
    return f"{source.getrandbits(160):040x}"


def _moment(source: random.Random) -> datetime:
    """More by day than by night, more on weekdays than at weekends."""
    day = source.choices(range(7), weights=(10, 11, 11, 11, 9, 4, 4))[0]
    hour = source.choices(range(24), weights=(3,) * 6 + (6, 8) + (11,) * 10 + (8, 8, 6, 6, 5, 4))[0]
    return FIRST_HOUR + timedelta(days=day, hours=hour, seconds=source.randrange(3600))


def _landing_hour(source: random.Random, event: _Event) -> int:
    """Choose the hour of the crawl, by which the archive files: mostly the event's own, now and then the next."""
    own = int((datetime.fromisoformat(event["created_at"]) - FIRST_HOUR) / timedelta(hours=1))
    late = source.random() < _LATE_SHARE
    return min(own + late, HOURS - 1)


def _repeat_some(source: random.Random, lines: dict[int, list[str]]) -> None:
    """Repeat lines in the same file or the next one, as the crawler's overlapping pages do."""
    busy = [hour for hour in range(HOURS - 1) if lines[hour]]
    for at, hour in enumerate(source.sample(busy, DUPLICATES)):
        lines[hour + at % 2].append(source.choice(lines[hour]))
