"""The quick way from a line to a row makes the row that the careful way makes, or none at all."""

import gzip
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet import workloads
from ratchet.contracts.workload import LandedFile
from ratchet.ingest.warehouse.unpack import records

RECORDS = workloads.find("github_activity").records
FILE = LandedFile(source="github_archive", hour=datetime(2026, 10, 1, 5, tzinfo=UTC), part="")
SAMPLES = Path(__file__).resolve().parents[5] / "shared" / "data" / "gharchive"
EVENT = {
    "id": "7",
    "type": "PullRequestEvent",
    "created_at": "2026-10-01T05:00:01Z",
    "actor": {"id": 1, "login": "ada"},
    "repo": {"id": 9, "name": "acme/api", "url": "https://example.org"},
    "payload": {
        "action": "closed",
        "pull_request": {"merged": True, "title": "caf\u00e9", "base": {"repo": {"language": "Rust", "id": 9}}},
    },
}


def careful(line: bytes) -> object:
    return RECORDS.parse(FILE, orjson.loads(line))


def changed(**fields: object) -> dict:
    return {**EVENT, **fields}


def named(event: dict) -> str:
    """What is odd about it."""
    return json.dumps({name: value for name, value in event.items() if value != EVENT.get(name)})[:70]


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        changed(id=12345678901),
        changed(id=2**63 - 1),
        changed(actor={"login": ""}),
        changed(actor={}),
        changed(repo={"id": 0, "name": "acme/api"}),
        changed(payload={"action": "merged", "pull_request": None}),
        changed(payload={"action": "", "pull_request": {"merged": None, "base": {"repo": None}}}),
        changed(payload={"pull_request": {"base": {"repo": {"language": ""}}}}),
        changed(type="IssuesEvent"),
        changed(type="PushEvent", payload={}),
        changed(type="PushEvent", payload={"size": 9, "distinct_size": 4}),
        changed(type="PushEvent", payload={"size": 9, "distinct_size": 0}),
        changed(type="PushEvent", payload={"distinct_size": None}),
        changed(created_at="2026-10-01T07:00:01+02:00"),
        changed(created_at="2026-10-01T05:00:01.5Z"),
    ],
    ids=named,
)
def test_a_plain_event_is_read_quickly_into_the_row_of_careful_reading(event):
    line = json.dumps(event, ensure_ascii=False).encode()
    row = RECORDS.quick(FILE, line)
    assert row is not None
    assert row == careful(line)


@pytest.mark.parametrize(
    "event",
    [
        changed(actor="ada", repository={"owner": "acme", "name": "api"}),
        changed(actor=None),
        changed(actor={"login": 5}),
        changed(actor_attributes={"email": "ada@example.org"}),
        changed(actor_attributes="none"),
        changed(id=True),
        changed(id=""),
        changed(id=2**63),
        changed(id=2**64),
        changed(id=10**30),
        changed(payload=None),
        changed(payload={"action": 3, "pull_request": None}),
        changed(payload={"pull_request": {"merged": "yes", "base": {"repo": None}}}),
        changed(type="PushEvent", payload={"shas": [["a", "b", "c", "d", True], ["a", "b", "c", "d", False]]}),
        changed(type="PushEvent", payload={"distinct_size": -1, "shas": {}}),
        changed(type="PushEvent", payload={"distinct_size": "4"}),
        changed(type="FollowEvent", repo=None),
        changed(repo={"id": "9", "name": "acme/api"}),
        changed(repo={"id": 9, "name": "acme/api\n"}),
        changed(repo={"id": 9, "name": "/"}),
        changed(repo={"id": 2**63, "name": "acme/api"}),
        changed(repo={"name": "acme/api"}),
    ],
    ids=named,
)
def test_an_odd_event_is_left_to_careful_reading(event):
    assert RECORDS.quick(FILE, json.dumps(event).encode()) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[1]",
        b'{"id":"1"',
        json.dumps(EVENT).encode() * 2,
        json.dumps(EVENT, ensure_ascii=False).encode("latin-1"),
        json.dumps(changed(note="\0")).replace("\\u0000", "\0").encode(),
        json.dumps(changed(payload=[1])).encode(),
        json.dumps(changed(repo="acme/api")).encode(),
        json.dumps(changed(created_at="2099-01-01T00:00:00Z")).encode(),
        json.dumps(changed(type=None)).encode(),
        json.dumps({name: value for name, value in EVENT.items() if name != "id"}).encode(),
        json.dumps(EVENT)[:-1].encode() + b',"deep":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=lambda line: line[:40],
)
def test_what_is_not_plain_is_left_to_careful_reading(line):
    assert RECORDS.quick(FILE, line) is None


ODD = (
    *(
        "null",
        "true",
        "0",
        "-0",
        "-1",
        "2.0",
        "2e0",
        "1E400",
        "-1e400",
        "9" * 400,
        "1" * 5000,
        "9" * 400 + ".5",
        "1e-400",
    ),
    *(
        f"{2**31 - 1}",
        f"{2**31}",
        f"{2**63 - 1}",
        f"{2**63}",
        f"{2**64}",
        f"{-(2**64)}",
        "NaN",
        "Infinity",
        "01",
        "1.",
        "+1",
    ),
    *(
        '""',
        '"7"',
        '"4\\u00e9"',
        '"a/b"',
        '"/"',
        '"a/b\\u2003"',
        '"a/\\u0000"',
        '"\\ud83d\\ude00"',
        '"\\ud800"',
        '"\\udc00\\ud83d"',
    ),
    *(
        '"\\x"',
        '"\\u12g4"',
        '"\x01"',
        '"\x7f"',
        '"caf\u00e9 \u2028 \uffff"',
        '"1E400 \\" 1e400"',
        "[",
        "[1,]",
        "{}",
        "[]",
        "}{",
    ),
    *(
        '"opened"',
        '"2026-10-01T05:00:01Z"',
        '"2026-10-01"',
        '"2026-10-01T05:00:01+23:59"',
        '"2026/09/30 22:00:00 -0700"',
    ),
    *(f"{'[' * depth}{']' * depth}" for depth in (250, 500, 1015)),
)
KNOWN = {
    "login": '"ada"',
    "id": "9",
    "name": '"acme/api"',
    "language": '"Rust"',
    "merged": "true",
    "action": '"closed"',
}
KNOWN |= {"type": '"PushEvent"', "created_at": '"2026-10-01T05:00:01Z"', "distinct_size": "3"}


def text_like(shape: dict | str, draw: Random) -> str:
    """A JSON text of an event's shape, or nearly: fields that are odd, missing, twice, or of no event."""
    if draw.random() < 0.03:
        return draw.choice(ODD)
    if isinstance(shape, str):
        return KNOWN[shape]
    names = [name for name in shape if draw.random() > 0.03]
    names += draw.sample([*shape, "note", "shas", "repository", "1e400", "caf\u00e9"], k=draw.randint(0, 1))
    fields = [f'"{name}":{text_like(shape[name], draw) if name in shape else draw.choice(ODD)}' for name in names]
    return "{" + ",".join(fields) + "}"


SHAPE = {"id": "id", "type": "type", "created_at": "created_at", "actor": {"login": "login"}}
SHAPE |= {"repo": {"id": "id", "name": "name"}, "payload": {"action": "action", "distinct_size": "distinct_size"}}
SHAPE["payload"]["pull_request"] = {"merged": "merged", "base": {"repo": {"language": "language"}}}


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_whatever_a_line_holds_the_quick_way_takes_it_as_the_careful_way_does(tmp_path_factory, seed):
    draw = Random(seed)
    lines = [text_like(SHAPE, draw) for _ in range(200)]
    path = tmp_path_factory.getbasetemp() / "odd.json"
    path.write_text("\n".join(lines))
    ways = ([], [])
    for way, found in zip(ways, (records(path, partial(RECORDS.quick, FILE)), records(path)), strict=True):
        way += [RECORDS.parse(FILE, one) if isinstance(one, dict) else getattr(one, "reason", one) for one in found]
    assert ways[0] == ways[1], next((one, other) for one, other in zip(*ways, strict=False) if one != other)


@pytest.mark.parametrize(("depth", "said"), [(200, "event"), (300, "nested too deeply"), (1015, "nested too deeply")])
def test_an_event_without_an_id_that_is_too_deep_for_a_key_is_rejected_by_name(depth, said):
    deep = orjson.loads("[" * depth + "]" * depth)
    event = {
        "type": "PushEvent",
        "actor": "ada",
        "repository": {"owner": "acme", "name": "api"},
        "payload": {"x": deep},
    }
    found = RECORDS.parse(FILE, {**event, "created_at": EVENT["created_at"]})
    assert said in {found, found[0]}


def test_histories_and_totals_are_never_events():
    line = json.dumps(EVENT).encode()
    for source, part in (("github_api", "acme/api/commits"), ("sample_history", "")):
        assert RECORDS.quick(LandedFile(source=source, hour=FILE.hour, part=part), line) is None


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the archive's samples are not on this machine (../shared/data/gharchive)"
)
def test_every_real_event_gives_the_same_row_either_way():
    quick = 0
    for path in sorted(SAMPLES.glob("*.json.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            row = RECORDS.quick(FILE, line)
            if row is not None:
                quick += 1
                assert row == careful(line), line[:200]
    assert quick > 8_000, "most events since 2015 are plain"
