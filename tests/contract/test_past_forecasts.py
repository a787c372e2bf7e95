"""`ratchet forecast --past` as a person meets it, on a real forecast log and real gold."""

import json
import uuid
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from log_records import forecast, ship

from ratchet.__main__ import main
from ratchet.contracts.release import file_digest
from ratchet.posted import FAMILY
from ratchet.serve.forward import Forwarder
from ratchet.serve.spool import Spool

pytestmark = pytest.mark.usefixtures("gold")

NAME = "github_activity"
HAPPENED = {"2026-10-25": 8.0, "2026-11-01": 10.0, "2026-11-08": 14.0, "2026-11-15": 30.0}
MONDAY = datetime(2026, 11, 9, tzinfo=UTC)
"""The week of 2026-11-15 begins."""
SECOND = timedelta(seconds=1)


@pytest.fixture
def home(tmp_path, postgres, monkeypatch):
    """Gold of four weeks, of which the last has just matured, and a log of which nothing is of this test's series yet."""
    folder = tmp_path / "gold" / NAME / "p1"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", postgres)
    return tmp_path


@pytest.fixture
def series():
    """A series of this test's own: the log is shared."""
    return f"past/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def gold(home, series):
    def publish(happened=HAPPENED, *, truth_until="2026-11-15"):
        folder = home / "gold" / NAME / "p1"
        rows = ", ".join(f"('{series}', 'commits', DATE '{week}', {y})" for week, y in happened.items())
        query = f"SELECT * FROM (VALUES {rows}) AS t (unique_id, target, ds, y)"
        duckdb.sql(query).write_parquet(str(folder / "series.parquet"))
        said = {"workload": NAME, "data_hour": "2026-11-17T00:00:00+00:00", "last_week": "2026-11-15", "digest": "d"}
        said |= {"series": 1, "synthetic": True, "truth_until": truth_until}
        files = {"series.parquet": file_digest(folder / "series.parquet")}
        (folder / "manifest.json").write_text(json.dumps({**said, "files": files}))
        (folder.parent / "newest.json").write_text('{"partition": "p1"}')

    publish()
    return publish


@pytest.fixture
def answer(tmp_path, postgres, series):
    """Log an answer as serving does: `answer(at, first week, median, …)`."""

    def log(at, first, *medians, **other):
        weeks = [week(date.fromisoformat(first) + timedelta(weeks=step), y) for step, y in enumerate(medians)]
        spool = Spool(tmp_path / uuid.uuid4().hex, max_bytes=64 << 20, fsync=False, on_lost=lambda _: None)
        values = {"unique_id": series, "target": "commits", "horizon": len(weeks), "weeks": weeks, **other}
        spool.append(forecast(NAME, at=at, **values))
        with closing(Forwarder(spool.folder, postgres, on_rejected=lambda: pytest.fail("refused"))) as forwarder:
            ship(spool, forwarder)

    return log


def week(day, median):
    bounds = {"lo_80": median - 2.0, "hi_80": median + 2.0, "lo_95": median - 4.0, "hi_95": median + 4.0}
    return {"week": day.isoformat(), "mean": median, "median": median, **bounds}


@pytest.fixture
def ask(capsys, series):
    def run(*words, name=series):
        code = main(["forecast", name, "--target", "commits", "--past", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def asked_as_json(ask, *words):
    code, out, _ = ask("--json", *words)
    assert code == 0
    return json.loads(out)


def test_each_week_is_told_with_what_was_forecast_and_what_happened(ask, answer, series):
    answer(MONDAY - timedelta(days=7, hours=2), "2026-11-01", 10.0, 13.0)
    answer(MONDAY - timedelta(hours=2), "2026-11-08", 14.0, 20.0, release="BO2")
    code, out, _ = ask()
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == f"{series} commits, production, weeks that matured up to 2026-11-15; times in UTC"
    assert [line.split() for line in lines[1:4]] == [
        ["week", "answered", "release", "ahead", "median", "lo_80", "hi_80", "happened", "held"],
        ["2026-11-08", "2026-11-01", "22:00", "BO1", "2", "weeks", "13.0", "11.0", "15.0", "14.0", "yes"],
        ["2026-11-15", "2026-11-08", "22:00", "BO2", "2", "weeks", "20.0", "18.0", "22.0", "30.0", "no"],
    ]
    said = "1 of 2 weeks held (bounds of 80 % are meant to in 8 of 10); mean absolute error 5.5,"
    more = "of the naive guess (the last week known then) 13.0; 2 weeks without a forecast from before"
    assert lines[4:] == [f"{said} {more}"]


def test_what_was_answered_once_a_week_had_begun_does_not_count(ask, answer):
    answer(MONDAY - SECOND, "2026-11-08", 14.0, 20.0)
    answer(MONDAY, "2026-11-15", 30.0)
    answer(MONDAY + timedelta(days=10), "2026-11-15", 30.0)
    [found] = asked_as_json(ask)["weeks"]
    assert (found["median"], found["told_at"]) == (20.0, (MONDAY - SECOND).isoformat())


def test_the_last_answer_before_a_week_is_the_one_that_counts(ask, answer):
    """Others were of an earlier day, earlier that day, or did not reach the week."""
    answer(MONDAY - timedelta(days=3), "2026-11-08", 14.0, 90.0)
    answer(MONDAY - timedelta(hours=9), "2026-11-08", 14.0, 80.0)
    answer(MONDAY - timedelta(hours=8), "2026-11-08", 14.0, 29.0, release="BO2")
    answer(MONDAY - timedelta(hours=7), "2026-11-08", 14.0)
    [found] = asked_as_json(ask)["weeks"]
    assert (found["median"], found["release"], found["held"]) == (29.0, "BO2", True)


def test_a_candidates_answers_and_those_from_posted_histories_are_none_of_production(ask, answer):
    answer(MONDAY - timedelta(hours=3), "2026-11-15", 20.0)
    answer(MONDAY - timedelta(hours=2), "2026-11-15", 30.0, track="candidate", release="CO2")
    answer(MONDAY - timedelta(hours=1), "2026-11-15", 31.0, family=FAMILY)
    assert [found["median"] for found in asked_as_json(ask)["weeks"]] == [20.0]
    assert [found["release"] for found in asked_as_json(ask, "--track", "candidate")["weeks"]] == ["CO2"]


def test_a_week_that_may_still_grow_is_not_told(ask, answer, gold):
    answer(MONDAY - timedelta(days=7, hours=2), "2026-11-01", 10.0, 13.0, 30.0)
    gold(truth_until="2026-11-14")
    assert [found["week"] for found in asked_as_json(ask)["weeks"]] == ["2026-11-08"]
    gold()
    found = asked_as_json(ask)["weeks"]
    assert [(one["week"], one["weeks_ahead"]) for one in found] == [("2026-11-08", 2), ("2026-11-15", 3)]
    assert [one["week"] for one in asked_as_json(ask, "--horizon", "1")["weeks"]] == ["2026-11-15"]


def test_the_naive_guess_is_left_out_where_gold_cannot_tell_it_of_every_week(ask, answer, gold):
    answer(MONDAY - timedelta(hours=1), "2026-11-15", 20.0)
    assert asked_as_json(ask)["naive_mean_absolute_error"] == 16.0
    gold({name: y for name, y in HAPPENED.items() if name != "2026-11-08"})
    told = asked_as_json(ask)
    assert (told["mean_absolute_error"], told["naive_mean_absolute_error"]) == (10.0, None)
    assert "naive" not in ask()[1]


def test_where_nobody_asked_in_time_it_is_said(ask, answer, series):
    answer(MONDAY, "2026-11-15", 30.0)
    said = f"ratchet: nothing to compare: of {series!r}, commits, production was asked for none of the"
    more = "4 weeks that matured up to 2026-11-15 before it began, or the log has it no more"
    for words in ((), ("--json",)):
        assert ask(*words) == (1, "", f"{said} {more}\n")


def test_a_series_that_gold_does_not_know_is_answered_with_the_nearest(ask, gold, series):
    code, _, err = ask(name=series.upper())
    said = f"gold has no week of {series.upper()!r}, commits, that has matured; did you mean {series}?"
    assert (code, err) == (1, f"ratchet: {said}\n")
    gold(truth_until="2026-10-01")
    assert ask()[2].endswith("that has matured; nor of any other series\n")


def test_without_gold_or_the_log_it_says_what_is_missing(ask, home, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    code, _, err = ask()
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("ratchet: the forecast log is away: ")
    (home / "gold" / NAME / "newest.json").unlink()
    code, _, err = ask()
    assert code == 1
    assert err.startswith(f"ratchet: there is no gold for {NAME} yet")


@pytest.mark.parametrize("words", [("--plot",), ("--explain",), ("--release", "/nowhere")])
def test_what_the_past_does_not_have_is_refused(ask, words):
    code, _, err = ask(*words)
    assert code == 1
    assert "--past is of what tracks answered" in err


def test_every_target_is_there_to_ask_for(capsys, series):
    assert main(["forecast", series, "--target", "likes", "--past"]) == 1
    assert "no target `likes`; there are: commits, " in capsys.readouterr().err


def test_the_log_is_read_without_the_registry(ask, answer, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    answer(MONDAY - timedelta(hours=1), "2026-11-15", 20.0)
    assert ask()[0] == 0
