"""One look after another at a real release, with a real database and a real tracking store."""

import json
import logging
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import psycopg2
import pytest
from mlflow import MlflowClient

from ratchet import reference
from ratchet.contracts.drift import DriftPolicy
from ratchet.contracts.errors import DataError, JournalError, MetricsError, ReleaseError
from ratchet.contracts.frames import Gold
from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.release import CARD, REFERENCE, Card
from ratchet.contracts.workload import Workload
from ratchet.drifting import Look
from ratchet.drifting.remembered import Remembered
from ratchet.observe.drift_log import PostgresDrift
from ratchet.register.drift_artifacts import DriftArtifacts
from ratchet.serve.drift_score import DriftScores
from ratchet.train import train

LAST = pd.Timestamp("2026-05-31")
HOUR = datetime(2026, 6, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)
EMPTY = "TRUNCATE forecasts, answers, feedback, drift_reports, drift_alarms, drift_references"
FORECAST = """
INSERT INTO forecasts (prediction_id, at, workload, unique_id, target, track, release_id, client, data_hour, answer_id)
VALUES (%s, %s, 'parcels', %s, 'sent', 'production', %s, %s, %s, md5(%s)::uuid)
"""
ANSWER = "INSERT INTO answers (day, answer_id, weeks) VALUES (%s, md5(%s)::uuid, %s) ON CONFLICT DO NOTHING"
RATING = """
INSERT INTO feedback (prediction_id, kind, client, workload, value, at) VALUES (%s, 'rating', %s, 'parcels', %s, %s)
"""
AWAY = "postgresql://nobody@127.0.0.1:1/none"


pytestmark = pytest.mark.filterwarnings("ignore:.*noload.*")  # MLflow's own use of SQLAlchemy


@pytest.fixture(scope="session")
def parcels():
    return Workload(
        name="parcels",
        title="Parcels",
        id_name="depot",
        targets=("sent",),
        season_length=52,
        horizon=12,
        families=("seasonal_naive",),
        source_kinds=(),
        records=None,
        sql=None,
        policy=EvidencePolicy(),
        first_recipe=("seasonal_naive",),
        sample_actuals=None,
    )


def gold(weeks, *, factor=1.0, later=0, silent=0, seen=None):
    """Twenty depots over so many weeks and `later` more, these multiplied; the first ones silent. `seen` by later week: its part."""
    rng = np.random.default_rng(4)
    level = rng.choice([5.0, 20.0, 60.0], size=(20, 1)) * np.ones((20, weeks + later))
    level[:, weeks:] *= factor
    counts = rng.poisson(level).astype(float)
    counts[:silent, weeks:] = 0
    dates = pd.date_range(end=LAST + later * pd.Timedelta(7, "D"), periods=weeks + later, freq="7D")
    coverage = np.ones(weeks + later)
    for week, part in (seen or {}).items():
        coverage[weeks + week] = part
    counts = np.rint(counts * coverage)
    rows = [
        pd.DataFrame(
            {"unique_id": f"depot/{row:02d}", "target": "sent", "ds": dates, "y": counts[row], "coverage": coverage}
        )
        for row in range(20)
    ]
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, parcels):
    out = tmp_path_factory.mktemp("bundles")
    card = train(
        gold(120),
        workload=parcels,
        recipe=("seasonal_naive",),
        data_hour=HOUR,
        code_version="t",
        synthetic=True,
        out=out,
    )
    return out / card.release_id


@pytest.fixture(scope="session")
def tracking(tmp_path_factory, folder):
    """A tracking store that knows the release's run."""
    home = tmp_path_factory.mktemp("mlflow")
    address = f"sqlite:///{home}/mlflow.db"
    client = MlflowClient(address)
    experiment = client.create_experiment("parcels", artifact_location=(home / "artifacts").as_uri())
    client.create_run(experiment, tags={"release_id": folder.name})
    return address


@pytest.fixture
def artifacts(tracking):
    return DriftArtifacts(tracking, client=MlflowClient(tracking))


@pytest.fixture
def look(tmp_path, folder, parcels, postgres, artifacts):
    """Makes a look at some gold: `look(days, factor=…)`; the database starts empty."""
    execute(postgres, EMPTY)

    def make(days=56, *, later=8, trained=HOUR, until=None, **how):
        frame = gold(120, later=later, **how)
        return Look(
            workload=parcels,
            release_id=folder.name,
            folder=folder,
            home=tmp_path,
            database=PostgresDrift(postgres),
            artifacts=artifacts,
            gold=Gold(
                data_hour=HOUR + later * 7 * DAY, truth_until=until or frame["ds"].max().date(), frame=lambda: frame
            ),
            newest_trained=trained,
            at=HOUR + days * DAY,
        )

    return make


def execute(database, *statements):
    connection = psycopg2.connect(database)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(*([statement] if isinstance(statement, str) else statement))
    connection.close()


def asked(folder, *, at, median=None):
    """Every depot has been asked for at that moment, and was told its usual week or this."""
    day = at.astimezone(UTC).date()
    statements = [("SELECT ensure_forecast_day(%s)", (day,))]
    for row, usual in enumerate(Remembered.read(folder).levels):
        weeks = json.dumps([{"week": "2026-06-07", "median": median or float(usual)}] * 4)
        statements.append((ANSWER, (day, weeks, weeks)))
        key = f"{at:%m%d}-{row}"
        values = (key, at, f"depot/{row:02d}", folder.name, f"client {row}", HOUR, weeks)
        statements.append(
            (
                FORECAST,
                values,
            )
        )
    return statements


def rate(database, folder, *, at, stars):
    statements = asked(folder, at=at)
    for row in range(20):
        statements.append(
            (
                RATING,
                (f"{at:%m%d}-{row}", f"client {row}", str(stars[row % len(stars)]), at),
            )
        )
    execute(database, *statements)


def test_a_calm_world_is_reported_as_such_in_the_form_that_was_promised(look):
    looked = look().take(fresh=True)
    public = looked.report.public()
    assert set(public) == {"overall_drift_detected", "drift_indicators"}
    assert (public["overall_drift_detected"], looked.asks) == (False, False)
    assert set(public["drift_indicators"]) == {"input.sent", "coverage", "residuals", "predictions"}
    for said in public["drift_indicators"].values():
        assert set(said) == {"drift_percentage", "significant_drift", "test", "p_value", "psi"}
    assert looked.report.not_judged == {}


def test_a_shift_is_found_where_it_is_and_asks_once(look):
    first = look(56, factor=0.3).take(fresh=True)
    assert "input.sent" in first.report.drifting
    assert first.report.indicators["input.sent"].drift_percentage == pytest.approx(-65, abs=8)
    assert first.report.confirmed
    assert first.asks
    daily = [look(56 + day, factor=0.3).take(fresh=True) for day in range(1, 5)]
    assert [looked.asks for looked in daily] == [False] * 4
    assert all(looked.report.drifting for looked in daily)


MILD = {"later": 6, "factor": 0.92}
"""Drift that one look is not certain of."""


def test_the_same_weeks_are_no_second_opinion_however_much_people_ask_meanwhile(look, folder, postgres):
    looks = []
    for day in range(3):
        execute(postgres, *asked(folder, at=HOUR + (42 + day) * DAY - DAY / 2)[: 17 + 2 * day])
        looks.append(look(42 + day, **MILD).take(fresh=True))
    assert [looked.report.drifting for looked in looks] == [("input.sent",)] * 3
    assert len({looked.report.data for looked in looks}) == 3
    assert not any(looked.report.confirmed or looked.asks for looked in looks)
    agrees = look(56, later=8, factor=0.91).take(fresh=True)
    assert (agrees.report.drifting, agrees.report.confirmed, agrees.asks) == (("input.sent",), True, True)


def test_the_same_weeks_from_the_tracking_server_are_no_second_opinion(look):
    look(42, **MILD).take(fresh=True)
    again = replace(look(42, **MILD), at=HOUR + 42 * DAY + timedelta(hours=2)).take()
    assert again.report.origins["input.sent"] == "the tracking server"
    assert (again.report.drifting, again.report.confirmed) == (("input.sent",), False)


def test_the_same_moment_again_answers_what_it_did_and_records_nothing_more(look):
    first, again = look(factor=0.3).take(fresh=True), look(factor=0.3).take(fresh=True)
    assert (again.asks, again.report) == (first.asks, first.report)
    look(57, factor=0.3).take(fresh=True)
    assert look(56, factor=0.3).take().asks


def test_after_another_training_the_experiment_decides_and_nothing_is_asked_again(look):
    assert look(56, factor=0.3).take(fresh=True).asks
    newer = HOUR + 56 * DAY
    later = [look(57 + day, factor=0.3, trained=newer).take(fresh=True) for day in range(3)]
    later += [look(70, later=10, factor=0.3, trained=newer).take(fresh=True)]
    assert not any(looked.asks for looked in later)


def test_weeks_that_may_still_grow_are_no_drift(look):
    fallen = {"factor": 0.3, "later": 1}
    assert "input.sent" in look(**fallen).take(fresh=True).report.indicators
    report = look(57, until=LAST.date(), **fallen).take(fresh=True).report
    assert set(report.not_judged) == {"coverage", "input.sent", "residuals"}


def test_drift_that_was_gone_and_comes_back_asks_again(look):
    assert look(56, factor=0.3).take(fresh=True).asks
    assert not look(57).take(fresh=True).report.drifting
    assert look(58, factor=0.25).take(fresh=True).asks


def test_gold_that_a_release_has_learnt_from_already_is_no_reason_to_train(look):
    assert not look(56, factor=0.3, trained=HOUR + 56 * DAY).take(fresh=True).asks


def test_series_that_fall_silent_are_drift_of_coverage(look):
    report = look(silent=10).take(fresh=True).report
    assert report.indicators["coverage"].significant_drift
    assert report.indicators["coverage"].drift_percentage == pytest.approx(-50, abs=5)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(dict.fromkeys(range(4, 8), 0.5), id="half of each week seen"),
        pytest.param(dict.fromkeys((5, 6), 0.1), id="too little of some weeks seen"),
        pytest.param(dict.fromkeys((5, 6, 7), 0.0), id="nothing of some weeks seen"),
    ],
)
def test_weeks_that_were_seen_in_part_are_no_drift(look, seen):
    report = look(seen=seen).take(fresh=True).report
    assert (report.drifting, report.not_judged) == ((), {})


def test_a_gap_of_one_source_makes_its_series_no_silent_ones(look):
    frame = gold(120, later=8)
    away = frame["unique_id"].lt("depot/10") & frame["ds"].gt(LAST + pd.Timedelta(28, "D"))
    frame.loc[away, ["y", "coverage"]] = 0.0
    gap = Gold(data_hour=HOUR + 56 * DAY, truth_until=frame["ds"].max().date(), frame=lambda: frame)
    report = replace(look(), gold=gap).take(fresh=True).report
    assert report.drifting == ()
    assert report.indicators["coverage"].drift_percentage == pytest.approx(0, abs=1)


def test_ratings_are_compared_with_the_releases_own_first_days(look, folder, postgres):
    for day in range(16):
        rate(postgres, folder, at=HOUR + (30 + day) * DAY, stars=(3, 4, 4, 5))
    calm = look(46).take(fresh=True).report
    assert not calm.indicators["ratings"].significant_drift
    for day in range(16, 22):
        rate(postgres, folder, at=HOUR + (30 + day) * DAY, stars=(1, 1, 2, 3))
    said = look(52).take(fresh=True).report.indicators["ratings"]
    assert said.significant_drift
    assert said.drift_percentage < -40


def test_forecasts_that_are_asked_for_come_from_the_database(look, folder, postgres):
    execute(postgres, *asked(folder, at=HOUR + 54 * DAY, median=900.0))
    report = look().take(fresh=True).report
    assert report.origins["predictions"] == "the database"
    assert report.indicators["predictions"].drift_percentage > 500


def test_a_series_that_is_asked_for_is_one_opinion_however_many_weeks_and_issues_of_it_were_seen(folder):
    weeks = [{"week": "2026-06-07", "median": median} for median in (19.0, 21.0, 20.0, 20.0, 900.0)]
    rows = [(f"depot/{row:02d}", "sent", HOUR + 7 * issue * DAY, weeks) for issue in (1, 0) for row in range(3)]
    (seen,) = Remembered.read(folder).see_forecasts(rows[:5]).values()
    assert [(issue[:10], len(values)) for issue, values in seen.items()] == [(f"{HOUR + 7 * DAY:%Y-%m-%d}", 3)]
    assert all(0.3 < value < 5 for values in seen.values() for value in values)


def test_recent_data_come_from_the_conf_first(look):
    given = {"input.sent": {f"2026-07-{day:02d}": [9.0] * 20 for day in range(1, 9)}}
    report = look().take(given).report
    assert report.origins["input.sent"] == "the run's conf"
    assert "input.sent" in report.drifting


def test_then_from_the_tracking_server_if_it_knows_as_much_as_this_disk(look, caplog):
    caplog.set_level(logging.INFO)
    look(70, factor=0.3).take(fresh=True)
    soon = replace(look(70), at=HOUR + 70 * DAY + timedelta(hours=2)).take()
    assert soon.report.origins["input.sent"] == "the tracking server"
    assert "input.sent" in soon.report.drifting
    stale = look(71).take()
    assert stale.report.origins["input.sent"] == "this disk"
    assert "too old" in caplog.text


def test_newer_gold_on_this_disk_goes_before_what_the_tracking_server_has(look, caplog):
    caplog.set_level(logging.INFO)
    look(80).take(fresh=True)
    soon = replace(look(80, later=9), at=HOUR + 80 * DAY + timedelta(hours=1)).take()
    assert soon.report.origins["input.sent"] == "this disk"
    assert "newer than what the tracking server has" in caplog.text


def test_each_fall_back_is_said(look, caplog):
    caplog.set_level(logging.INFO)
    nowhere = DriftArtifacts("sqlite://", client=Absent())
    looked = replace(look(90), artifacts=nowhere).take()
    assert looked.report.origins["predictions"] == "this disk"
    assert "the run's conf has nothing of what is wanted" in caplog.text
    assert "the tracking server cannot be asked: " in caplog.text
    assert "the database lacks coverage, input.sent, predictions, residuals; falling back to the next" in caplog.text
    assert "this disk has coverage, input.sent, predictions, residuals" in caplog.text
    assert looked.page.startswith("file://")


class Absent:
    def get_experiment_by_name(self, _name):
        raise OSError("no route to host")


def test_a_database_that_is_away_leaves_the_report_on_disk_and_asks_for_nothing(look, tmp_path, caplog):
    away = replace(look(factor=0.3), database=PostgresDrift(AWAY))
    with pytest.raises((MetricsError, JournalError)):
        away.take(fresh=True)
    kept = json.loads((tmp_path / "drift/parcels/newest.json").read_text())
    assert kept["overall_drift_detected"]
    assert "the database cannot be asked" in caplog.text


def test_what_nobody_has_is_not_judged_and_named(look, caplog):
    report = replace(look(), gold=None).take(fresh=True).report
    assert set(report.indicators) == {"predictions"}
    assert set(report.not_judged) == {"coverage", "input.sent", "residuals"}
    assert "nobody has coverage, input.sent, residuals; it is not judged" in caplog.text


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([1], id="a list"),
        pytest.param({"input.sent": [1.0]}, id="no periods"),
        pytest.param({"input.sent": {"2026": ["much"]}}, id="words"),
        pytest.param({"input.sent": {"2026": [float("nan")]}}, id="not a number"),
        pytest.param({"input.sent": {"2026": 4}}, id="no list"),
    ],
)
def test_a_conf_that_makes_no_sense_is_refused(look, given):
    with pytest.raises(DataError, match="conf"):
        look().take(given)


def test_a_reference_that_was_tampered_with_is_refused(look, folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / REFERENCE).write_text((copy / REFERENCE).read_text().replace('"periods": 104', '"periods": 999'))
    with pytest.raises(ReleaseError, match="checksum"):
        replace(look(), folder=copy).take(fresh=True)
    (copy / REFERENCE).unlink()
    with pytest.raises(ReleaseError, match="train another"):
        replace(look(), folder=copy).take(fresh=True)


def test_the_reference_is_small_and_part_of_the_release(folder):
    assert REFERENCE in Card.from_json((folder / CARD).read_bytes()).checksums
    assert (folder / REFERENCE).stat().st_size < 20_000


def test_page_and_report_are_on_disk_and_beside_the_run(look, tmp_path, tracking):
    looked = look(100, factor=0.3).take(fresh=True)
    page = (tmp_path / "drift/parcels/newest.html").read_text()
    assert "input.sent" in page
    assert "a new candidate has been asked for" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    client = MlflowClient(tracking)
    run = client.search_runs([client.get_experiment_by_name("parcels").experiment_id])[0]
    assert any(artifact.path.endswith(".html") for artifact in client.list_artifacts(run.info.run_id, "drift"))
    assert run.info.run_id in looked.page
    assert looked.page.endswith(".html?workflowType=machine_learning"), "not as an evaluation of prompts"


def test_scores_are_metrics_and_a_report_that_is_broken_is_none(look, tmp_path):
    look(factor=0.3).take(fresh=True)
    scores = {
        (metric.name, sample.labels.get("feature")): sample.value
        for metric in DriftScores(home=tmp_path, workloads=("parcels", "none")).collect()
        for sample in metric.samples
    }
    assert scores["ratchet_drift_score", "input.sent"] > 0.25
    assert scores["ratchet_drift_significant", "input.sent"] == 1.0
    assert scores["ratchet_drift_confirmed", None] == 1.0
    (tmp_path / "drift/parcels/newest.json").write_text('{"at": 3')
    assert not [s for m in DriftScores(home=tmp_path, workloads=("parcels",)).collect() for s in m.samples]


def test_a_workload_may_bring_features_of_its_own(look, parcels):
    before = {f"{n:02d}": tuple(np.random.default_rng(n).normal(0, 1, 50).tolist()) for n in range(20)}
    now = {f"{n:02d}": tuple(np.random.default_rng(n).normal(3, 1, 50).tolist()) for n in range(20, 24)}
    own = replace(parcels, more_drift=lambda _release, _at: {"label": (before, now)})
    report = replace(look(), workload=own).take(fresh=True).report
    assert "label" in report.drifting
    assert report.origins["label"] == "the workload"


def test_thresholds_are_a_workloads_own(look, parcels):
    strict = replace(parcels, drift=DriftPolicy(min_shift_percent=1000.0, min_psi=1000.0))
    assert replace(look(factor=0.3), workload=strict).take(fresh=True).report.drifting == ()


def test_what_is_sent_to_the_server_stays_small():
    many = {"2026": tuple(np.random.default_rng(1).normal(size=100_000).tolist())}
    thinned = reference.thin(many)["2026"]
    assert len(thinned) == reference.SKETCH
    assert np.quantile(thinned, 0.9) == pytest.approx(np.quantile(many["2026"], 0.9), abs=0.02)
