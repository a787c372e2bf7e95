"""The loop on its own history: the same every time, blind to the future, and hard on what is bad."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pytest
from histories import FIRST, WEEKS

from ratchet.contracts.errors import DataError
from ratchet.contracts.policy import EvidencePolicy, Mode
from ratchet.rehearsal import Plant, publish, read_folder
from ratchet.rehearsal.history import arrange
from ratchet.rehearsal.page import render
from ratchet.rehearsal.plan import People
from ratchet.rehearsal.releases import Issued, train_all
from ratchet.rehearsal.renewals import renew_all
from ratchet.rehearsal.replay import Replay
from ratchet.rehearsal.report import to_json, to_text
from ratchet.train.accepting import _as_of


def kinds(body, release=""):
    return [event["kind"] for event in body["events"] if release in event["release"]]


def test_the_same_plan_gives_the_same_bytes_and_another_seed_others(live, tmp_path):
    first, again = live(folder=tmp_path / "a", last=FIRST + 3), live(folder=tmp_path / "b", last=FIRST + 3)
    assert to_json(first) == to_json(again)
    assert to_json(live(seed=4, last=FIRST + 3)) != to_json(first)


def test_nothing_of_the_future_is_seen(small, live, tmp_path):
    """From a week on, history is another one: until then, nothing may differ by a byte."""
    turning = FIRST + 5
    frame = small.frame.copy()
    later = frame["ds"].dt.date > small.weeks[turning]
    frame.loc[later, "y"] = frame.loc[later, "y"] * 50 + 1000
    frame = frame[~(later & (frame["unique_id"] == "thing/03"))]
    told, other = live(), live(arrange(frame, synthetic=True, source="a test"), folder=tmp_path)
    weeks = turning - FIRST + 1
    assert told["by_week"][:weeks] == other["by_week"][:weeks]
    assert told["by_week"][weeks:] != other["by_week"][weeks:]
    until = small.complete_at(turning).isoformat()
    before = [[event for event in body["events"] if event["at"] <= until] for body in (told, other)]
    assert before[0] == before[1]
    assert before[0]


def test_weeks_that_were_seen_in_part_are_learnt_from_rated_and_scored_as_whole_ones(small, live, tmp_path):
    frame = small.frame.assign(coverage=1.0)
    half, dark = (frame["ds"].dt.date == small.weeks[FIRST + week] for week in (1, 2))
    frame.loc[half, ["y", "coverage"]] = np.array([frame.loc[half, "y"] // 2, half[half] * 0.5]).T
    frame.loc[dark, ["y", "coverage"]] = 0.0
    (tmp_path / "gold").mkdir()
    frame.to_parquet(tmp_path / "gold" / "series.parquet")
    history = read_folder(tmp_path / "gold")
    assert history.known_at(WEEKS - 1)["coverage"].min() == 0.0
    np.testing.assert_allclose(history.values[:, FIRST + 1], small.values[:, FIRST + 1], atol=1.0)
    assert np.isnan(history.values[:, FIRST + 2]).all()
    said, whole = live(history, folder=tmp_path / "releases", last=FIRST + 4), live(last=FIRST + 4)
    errors, wanted = ([week["the loop"] for week in body["by_week"]] for body in (said, whole))
    assert errors[2] is None
    assert errors[1] == pytest.approx(wanted[1], rel=0.1)
    assert errors[4] == pytest.approx(wanted[4], rel=0.25)
    assert said["mase"]["the loop"] == pytest.approx(np.mean([error for error in errors if error]), abs=1e-3)
    assert "polyline" in render(said)


def test_weeks_of_which_nothing_is_known_are_said_to_be_so(small, live, tmp_path):
    frame = small.frame.assign(coverage=1.0)
    frame.loc[frame["ds"].dt.date == small.weeks[FIRST], ["y", "coverage"]] = 0.0
    with pytest.raises(DataError, match=f"nothing is known of the weeks from {small.weeks[FIRST]} to"):
        live(arrange(frame, synthetic=True, source="a test"), folder=tmp_path, last=FIRST)


def test_a_release_that_is_issued_again_ages_less(small, plan, tmp_path):
    """Everything trebles. A release from before knows it as soon as it is issued again; its first week is the same."""
    frame = small.frame.copy()
    frame.loc[frame["ds"].dt.date > small.weeks[FIRST + 2], "y"] *= 3
    history = arrange(frame, synthetic=True, source="a test")
    known = {"folder": tmp_path, "say": lambda *_: None, "processes": 1}
    aged = train_all(history, plan, code_version="t", **known)
    renewed = renew_all(history, aged, **known)
    np.testing.assert_array_equal(renewed[1].of(FIRST + 1), aged[1].of(FIRST + 1))
    np.testing.assert_array_equal(renewed[-1].of(WEEKS - 1), aged[-1].of(WEEKS - 1))
    old, new = (np.nanmean(np.abs(one.of(WEEKS - 1) - history.values[:, WEEKS - 1])) for one in (aged[1], renewed[1]))
    assert new < 0.7 * old


def test_a_report_says_whether_forecasts_aged(live):
    said = [" ".join(live(renew=renew, last=FIRST + 1)["assumptions"]) for renew in (True, False)]
    assert ["issued again from each new week" in text for text in said] == [True, False]


def test_a_release_that_has_seen_the_future_is_refused(live, tmp_path, monkeypatch):
    """The reader checks on its own that a release begins with the week after what was known."""
    monkeypatch.setattr("ratchet.rehearsal.releases.until", lambda history, _week: history)
    monkeypatch.setattr("ratchet.rehearsal.history.History.known_at", lambda history, _week: history.frame)
    monkeypatch.setattr(
        "ratchet.train.accepting._as_of", lambda frame, _hour: _as_of(frame, datetime.max.replace(tzinfo=UTC))
    )
    with pytest.raises(ValueError, match="begins with"):
        live(folder=tmp_path)


@pytest.mark.parametrize("kind", ["biased", "slow", "erroring"])
def test_a_planted_candidate_is_rolled_back_within_days(live, kind):
    body = live(plants=(f"{kind}@3",), last=FIRST + 8, policy=EvidencePolicy(level_ratio=1e6))
    assert kinds(body, f"+{kind}") == ["trial", "rollback"]
    [trial] = [trial for trial in body["trials"] if trial["planted"]]
    assert 0 < trial["hours_exposed"] <= 72
    assert body["hours_lost"] >= trial["hours_exposed"]
    assert 0 < trial["requests_hurt"] <= trial["requests"][1]


def test_a_candidate_that_expects_half_as_much_again_is_met_by_nobody(live):
    body = live(plants=("biased@3",), last=FIRST + 8)
    assert kinds(body, "+biased") == ["trial", "superseded"]
    [trial] = [trial for trial in body["trials"] if trial["planted"]]
    assert (trial["hours_exposed"], trial["requests"][1]) == (0, 0)
    assert "it expects much else of commits" in next(e["reason"] for e in body["events"] if e["kind"] == "superseded")


def test_errors_and_slowness_are_found_within_hours(live):
    for kind in ("slow", "erroring"):
        body = live(plants=(f"{kind}@1",), last=FIRST + 1)
        [trial] = [trial for trial in body["trials"] if trial["planted"]]
        assert trial["hours_exposed"] <= 12


def test_a_candidate_that_is_good_at_first_is_promoted_and_does_not_stay(live):
    body = live(plants=("drifting@1",))
    assert kinds(body, "+drifting")[:2] == ["trial", "promote"]
    assert "+drifting" not in body["by_week"][-1]["production"]


def test_the_plain_rule_rehearses_too_and_lets_an_erroring_candidate_run(live):
    spec = live(plants=("erroring@1",), policy=EvidencePolicy(mode=Mode.SPEC), last=FIRST + 3)
    [trial] = [trial for trial in spec["trials"] if trial["planted"]]
    assert "rollback" not in trial["verdicts"]
    assert spec["policy"]["mode"] == "spec"


def test_errors_are_those_of_the_releases_that_served(small, live):
    """By hand, in the first week: only the first release was there until the first candidate met clients."""
    body = live()
    first = body["by_week"][0]
    assert first["never retrained"] == first["always the newest"] == first["oracle"] == first["the loop"]
    for week in body["by_week"]:
        assert week["oracle"] <= min(week["never retrained"], week["always the newest"]) + 1e-9
    values = small.values[:, FIRST]
    forecast = small.values[:, FIRST - 52]  # the first recipe is seasonal naive
    forecast = np.where(np.isnan(forecast), small.values[:, FIRST - 1], forecast)
    scale = np.nanmean(np.abs(np.diff(small.values[:, :FIRST], axis=1)), axis=1)
    assert first["never retrained"] == pytest.approx(np.mean(np.abs(values - forecast) / scale), abs=1e-3)


def test_hindsight_says_which_verdicts_the_errors_agreed_with(live):
    body = live()
    promoted = [trial for trial in body["trials"] if "promote" in trial["verdicts"]]
    right = sum(trial["hindsight_percent"] < 0 for trial in promoted)
    assert body["hindsight"]["promote"] == [right, len(promoted)]
    assert f"{right} of {len(promoted)} promotions" in to_text(body)
    [biased] = [trial for trial in live(plants=("biased@3",), last=FIRST + 8)["trials"] if trial["planted"]]
    assert biased["hindsight_percent"] > 10


def test_a_world_without_ratings_promotes_nothing_by_them(live):
    body = live(people=People(ratings=0.0))
    assert all("ratings are better" not in event["reason"] for event in body["events"])


def test_every_assumption_and_every_event_is_in_the_text(live):
    body = live(plants=("biased@3",), last=FIRST + 8)
    text = to_text(body)
    assert all(assumption in text for assumption in body["assumptions"])
    assert text.count("| trial |") == len(body["trials"])
    assert "synthetic" in text
    page = render(body)
    assert page.count("<polyline") == 4
    assert "http" not in page
    assert "biased" in page


def test_a_report_is_whole_or_not_there(live, tmp_path, monkeypatch):
    body = live(last=FIRST + 3)
    publish(body, tmp_path / "out")
    before = (tmp_path / "out/report.json").read_text()
    assert json.loads(before)["verdicts"] == body["verdicts"]

    def fail(_body):
        raise KeyboardInterrupt

    monkeypatch.setattr("ratchet.rehearsal.render", fail)
    with pytest.raises(KeyboardInterrupt):
        publish({**body, "seed": 99}, tmp_path / "out")
    assert (tmp_path / "out/report.json").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_report_leaves_alone_what_else_is_in_its_folder(live, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.json").write_text("of before")
    publish(live(last=FIRST + 3), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "report.html", "report.json", "report.md"]
    assert json.loads((tmp_path / "report.json").read_text())["weeks"] == 4


def test_a_series_that_only_newer_releases_know_does_not_tell_the_ways_apart(small, plan):
    """The first release says nothing of it, and so was scored without what the others were wrong about."""
    said = small.values[:, [-2]].repeat(12, axis=1) + 1
    said[-1] += 1e6
    first = said.copy()
    first[-1] = np.nan
    issued = [
        Issued(release_id=f"r{week}", trained=week, forecasts=first if week == FIRST - 1 else said)
        for week in range(FIRST - 1, WEEKS - 1)
    ]
    mase = Replay(small, plan, issued).run().mase
    assert mase["always the newest"] == pytest.approx(mase["never retrained"])
    assert max(mase["the loop"]) < 1e3


def test_weeks_that_are_not_there_are_refused(live):
    with pytest.raises(DataError, match="weeks of history"):
        live(first=3)
    with pytest.raises(DataError, match="weeks that there are"):
        live(last=WEEKS)
    with pytest.raises(DataError, match="plant earlier"):
        live(plants=("biased@10",))


@pytest.mark.parametrize("text", ["biased", "biased@", "biased@0", "odd@3", "biased@-1", ""])
def test_a_plant_that_makes_no_sense_is_refused(text):
    with pytest.raises(DataError, match="--plant"):
        Plant.parse(text)


def test_gold_is_read_from_wide_and_long_tables_alike(tmp_path, small):
    long = small.frame.assign(ds=small.frame["ds"].dt.date)
    (tmp_path / "long").mkdir()
    long.to_csv(tmp_path / "long/gold.csv", index=False)
    (tmp_path / "wide").mkdir()
    long.rename(columns={"y": "commits"}).drop(columns="target").to_csv(tmp_path / "wide/gold.csv", index=False)
    (tmp_path / "parquet").mkdir()
    small.frame.to_parquet(tmp_path / "parquet/series.parquet")
    for name in ("long", "wide", "parquet"):
        history = read_folder(tmp_path / name)
        assert history.names == small.names
        assert np.array_equal(history.values, small.values, equal_nan=True)
    assert small.place(date(2026, 5, 27)) == WEEKS - 1


def test_gold_that_makes_no_sense_is_refused(tmp_path, small):
    with pytest.raises(DataError, match="neither"):
        read_folder(tmp_path)
    (tmp_path / "gold.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="unique_id"):
        read_folder(tmp_path)
    twice = small.frame.iloc[[0, 0]]
    with pytest.raises(DataError, match="more than one"):
        arrange(twice, synthetic=False, source="x")
    with pytest.raises(DataError, match="Sunday"):
        arrange(small.frame.assign(ds=small.frame["ds"] + np.timedelta64(1, "D")), synthetic=False, source="x")
    with pytest.raises(DataError, match="not within"):
        small.place(date(2030, 1, 1))


def test_a_cut_of_real_weeks_is_lived_through(live, shared_data, tmp_path):
    path = shared_data / "real_weekly"
    if not path.is_dir():
        pytest.skip("real weekly activity (../shared/data/real_weekly) is not on this machine")
    history = read_folder(path)
    commits = history.frame[(history.frame["target"] == "commits") & (history.frame["ds"] >= "2024-01-01")]
    history = arrange(commits, synthetic=False, source="real_weekly")
    first = history.place(date(2025, 11, 2))
    body = live(history, first=first, last=first + 3, plants=("erroring@1",), folder=tmp_path)
    assert body["series"] == 13
    assert kinds(body, "+erroring") == ["trial", "rollback"]
    assert all(0 < mase < 20 for mase in body["mase"].values())
