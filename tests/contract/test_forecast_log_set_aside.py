"""What the database will never take, or nobody can read, is set aside and named; it blocks nobody, and can be brought back."""

import json
import random
import subprocess
from pathlib import Path

import orjson
import psycopg2
import pytest
from log_records import PointingSpool, feedback, forecast, refuse, rows, ship

from ratchet.serve import forward, segments
from ratchet.serve.log_lines import sort_out, take_apart, unseal
from ratchet.serve.segments import count_records


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param({"at": "yesterday or so"}, id="no time"),
        pytest.param({"at": None}, id="without a time"),
        pytest.param({"prediction_id": None}, id="without an id"),
        pytest.param({"horizon": 1 << 40}, id="too large a number"),
        pytest.param({"unique_id": "a\x00b"}, id="a character that PostgreSQL has not"),
        pytest.param({"record": "recipe"}, id="of no kind"),
        pytest.param({"prediction_id": random.Random(1).randbytes(9000).hex()}, id="longer than a key can be"),
    ],
)
def test_a_poisonous_record_is_set_aside_and_blocks_nobody(spool, forwarder, postgres, workload, rejected, poison):
    for number in range(20):
        spool.append({**forecast(workload), **(poison if number == 7 else {})})
    ship(spool, forwarder)
    assert len(rows(postgres, "forecasts", workload)) == 19
    assert segments.finished(spool.folder) == []
    [aside] = (spool.folder / "rejected").iterdir()
    assert '"reason"' in aside.read_text()
    assert rejected == [1]


def test_the_runbooks_lines_bring_back_what_was_set_aside(spool, forwarder, postgres, workload, rejected, monkeypatch):
    for record in (forecast(workload, request_id="good"), forecast(workload, request_id="refused for now")):
        spool.append(record)
    spool.close()
    insert = forwarder._insert

    def insert_without_some(lines):
        if b"refused for now" in lines:
            raise psycopg2.errors.CheckViolation("not as long as this is so")
        insert(lines)

    monkeypatch.setattr(forwarder, "_insert", insert_without_some)
    forwarder.ship()
    assert [row["request_id"] for row in rows(postgres, "forecasts", workload)] == ["good"]
    monkeypatch.setattr(forwarder, "_insert", insert)
    page = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
    again = page.split("### ForecastLogSetAside")[1].split("```sh")[1].split("```")[0].split(" && ", maxsplit=1)[1]
    for _ in range(2):  # what is there already is not stored twice
        subprocess.run(["bash", "-euc", again], cwd=spool.folder, check=True)
        assert forwarder.ship() == 1
    assert sorted(row["request_id"] for row in rows(postgres, "forecasts", workload)) == ["good", "refused for now"]
    assert rejected == [1]


def leave_damaged(spool, workload, whole, damaged):
    """A segment of sixteen forecasts with two answers in turn, the first of which was damaged on the disk."""
    for number in range(16):
        spool.append(forecast(workload, horizon=1 + number % 2, request_id=str(number)))
    spool.close()
    [segment] = segments.finished(spool.folder)
    segment.write_bytes(segment.read_bytes().replace(whole, damaged, 1))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param((b'"target":"sent"', b'"target":"sen\xff"'), id="what it says"),
        pytest.param((b'"horizon":1,', b'"horizon":"1x",'), id="what it says, and it is JSON still"),
        pytest.param((b'"answer","answer_id":"', b'"answer","answer_id":"\xff'), id="its id"),
        pytest.param((b'{"record":"answer",', b'{"record"~"answer",'), id="that it is one"),
    ],
)
@pytest.mark.parametrize("spool", [PointingSpool], indirect=True, ids=["as now"])
def test_a_damaged_answer_takes_all_that_point_at_it_along_at_once(
    spool, forwarder, postgres, workload, rejected, damage
):
    """It may have been given thousands of times: to find each by halving held all others up for minutes."""
    leave_damaged(spool, workload, *damage)
    inserted, insert = [], forwarder._insert
    forwarder._insert = lambda lines: inserted.append(lines) or insert(lines)
    assert forwarder.ship() == 1
    assert [row["horizon"] for row in rows(postgres, "forecasts", workload)] == [2] * 8
    [aside] = (spool.folder / "rejected").iterdir()
    [row] = map(json.loads, aside.read_text().splitlines())
    assert ("damaged" in row["reason"], row["lines"].count('"record":"forecast"')) == (True, 8)
    assert len(rejected) in (8, 9), "it is a record too where nothing tells that it is an answer"
    assert len(inserted) == 1


@pytest.mark.parametrize("spool", [PointingSpool], indirect=True, ids=["as now"])
def test_whoever_mends_a_damaged_answer_brings_back_all_that_point_at_it(spool, forwarder, postgres, workload):
    leave_damaged(spool, workload, b'"target":"sent"', b'"target":"sent')
    forwarder.ship()
    [aside] = (spool.folder / "rejected").iterdir()
    mended = json.loads(aside.read_text())["lines"].replace('"target":"sent,', '"target":"sent",')
    (spool.folder / "0-0.1.ready").write_text(mended + "\n")
    assert forwarder.ship() == 1
    assert len(rows(postgres, "forecasts", workload)) == 16


@pytest.fixture
def writes(spool, workload):
    """A finished segment of three writes that have four forecasts each, and the lines of each write."""
    for number in range(3):
        told = [forecast(workload, horizon=1 + one, request_id=f"{number}-{one}") for one in range(4)]
        answers, lines = sort_out(take_apart(b"".join(orjson.dumps(record) + b"\n" for record in told)))
        spool.append_lines(b"\n".join(lines) + b"\n", 4, {name: line + b"\n" for name, line in answers.items()})
    spool.close()
    [segment] = segments.finished(spool.folder)
    return segment


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param((b'"request_id":"1-2"', b'"request_id":"7-2"', {"0", "2"}), id="what a record says"),
        pytest.param((b'"request_id":"0-2"', b'"request_id":"7-2"', {"1", "2"}), id="beside answers that others need"),
        pytest.param((b',"sum":', b',"sun":', {"2"}), id="the name of a sum, so that two writes seem one"),
        pytest.param((b'"horizon":3,', b'"horizon":8,', {"1", "2"}), id="an answer"),
    ],
)
@pytest.mark.parametrize("spool", [PointingSpool], indirect=True, ids=["as now"])
def test_damage_that_is_valid_still_is_told_by_the_sum_of_its_write(
    forwarder, postgres, workload, rejected, writes, damage
):
    """Only the write that it is in waits for somebody; whoever mends it has all of it in the log, once."""
    whole, damaged, stored = damage
    writes.write_bytes(writes.read_bytes().replace(whole, damaged, 1))
    forwarder.ship()
    kept = [row["request_id"] for row in rows(postgres, "forecasts", workload)]
    assert {one[0] for one in kept} == stored
    [aside] = (writes.parent / "rejected").iterdir()
    [row] = map(json.loads, aside.read_text().splitlines())
    assert ("damaged" in row["reason"], len(kept) + len(rejected)) == (True, 12)
    mended = row["lines"].replace(damaged.decode(), whole.decode(), 1)
    (writes.parent / "0-0.1.ready").write_text(mended + "\n")
    assert forwarder.ship() == 1
    found = rows(postgres, "forecasts", workload)
    assert {(row["request_id"], row["horizon"]) for row in found} == {
        (f"{number}-{one}", 1 + one) for number in range(3) for one in range(4)
    }
    assert len(found) == 12


@pytest.mark.parametrize("spool", [PointingSpool], indirect=True, ids=["as now"])
def test_a_segment_of_a_version_that_knew_no_sums_is_shipped_as_ever(forwarder, postgres, workload, rejected, writes):
    writes.write_bytes(unseal(writes.read_bytes()))
    forwarder.ship()
    assert (len(rows(postgres, "forecasts", workload)), rejected) == (12, [])


def test_feedback_of_no_kind_is_set_aside(spool, forwarder, postgres, workload, rejected):
    spool.append(feedback(workload, f"of {workload}", 1, kind="praise"))
    spool.append(feedback(workload, f"of {workload}", 2))
    ship(spool, forwarder)
    assert [row["value"] for row in rows(postgres, "feedback", workload)] == [2]
    assert rejected == [1]


def test_the_torn_last_line_of_a_killed_worker_is_set_aside(spool, forwarder, postgres, workload, rejected):
    spool.append(forecast(workload))
    spool.close()
    [segment] = segments.finished(spool.folder)
    with segment.open("ab") as stream:
        stream.write(b'{"record":"forecast","predic')
    forwarder.ship()
    assert len(rows(postgres, "forecasts", workload)) == 1
    assert rejected == [1]


def test_what_is_torn_is_set_aside_once_however_long_the_database_is_away(
    spool, forwarder, postgres, workload, rejected, monkeypatch
):
    spool.append(forecast(workload))
    spool.close()
    [segment] = segments.finished(spool.folder)
    with segment.open("ab") as stream:
        stream.write(b'{"record":"forecast","predic')
    with monkeypatch.context() as away:
        away.setattr(forward.psycopg2, "connect", refuse)
        for _ in range(5):
            with pytest.raises(psycopg2.OperationalError):
                forwarder.ship()
    forwarder.ship()
    assert len(rows(postgres, "forecasts", workload)) == 1
    [aside] = (spool.folder / "rejected").iterdir()
    assert (len(aside.read_text().splitlines()), rejected) == (1, [1])


def test_a_file_that_cannot_be_read_is_told_once_and_blocks_nobody(spool, forwarder, postgres, workload, caplog):
    """As a worker of another user leaves it; the superuser can read all but a folder."""
    for name in ("00000000000000000001-1.1.ready", "00000000000000000001-2.open"):
        (spool.folder / name).mkdir()
    for _ in range(3):
        spool.append(forecast(workload))
        spool.close()
        forwarder.step(spool)
    assert len(rows(postgres, "forecasts", workload)) == 3
    assert [sum(name in line for line in caplog.messages) for name in ("-1.1.ready", "-2.open")] == [1, 1]
    assert count_records(spool.folder) == 1


def test_what_cannot_be_set_aside_blocks_nobody_and_is_set_aside_when_that_is_possible(
    spool, forwarder, postgres, workload, rejected, monkeypatch
):
    now = [0.0]
    monkeypatch.setattr(forwarder, "_clock", lambda: now[0])
    (spool.folder / "rejected").touch()  # no folder can be made there
    spool.append(forecast(workload, horizon=1 << 40))
    spool.append(forecast(workload))
    spool.close()
    spool.append(forecast(workload))
    assert ship(spool, forwarder) == 1
    assert (len(rows(postgres, "forecasts", workload)), rejected) == (2, [])
    assert len(segments.finished(spool.folder)) == 1
    (spool.folder / "rejected").unlink()
    now[0] += 60
    assert forwarder.ship() == 1
    assert (len(rows(postgres, "forecasts", workload)), rejected) == (2, [1])
