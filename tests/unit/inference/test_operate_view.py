"""What operators see, from a real database that real records were forwarded to."""

import json
import time
from dataclasses import replace
from datetime import timedelta

import psycopg2
import pytest
from houses import House

from inference import create_app
from ratchet.contracts.drift import DriftReport, Indicator
from ratchet.contracts.policy import Decision, Evidence, TrackEvidence, Verdict
from ratchet.contracts.ports import NewLook
from ratchet.observe import PostgresJournal, PostgresReports
from ratchet.observe.drift_log import PostgresDrift
from ratchet.serve.forward import Forwarder
from ratchet.serve.spool import Spool
from releases import DATA_HOUR

EMPTY = "TRUNCATE forecasts, feedback, experiments, looks, acts, drift_reports RESTART IDENTITY CASCADE"


class Office(House):
    """A house whose log is a spool and whose reports are PostgreSQL's."""

    def __init__(self, home, database):
        super().__init__(home)
        self.database, self.now = database, DATA_HOUR
        self.spool = Spool(home / "spool", max_bytes=1 << 20, fsync=False, on_lost=lambda _: None)
        self.service = replace(self.service, log=self.spool, reports=PostgresReports(database), clock=lambda: self.now)
        self.app = create_app(self.service)
        self.client = self.app.test_client()

    def ask(self, path, key="rk_o"):
        return self.get(f"/api/parcels/{path}", key=key)

    def ship(self):
        forwarder = Forwarder(self.spool.folder, self.database, on_rejected=lambda: None)
        self.spool.close()
        forwarder.ship()
        forwarder.close()


@pytest.fixture
def office(tmp_path, postgres):
    connection = psycopg2.connect(postgres)
    with connection, connection.cursor() as cursor:
        cursor.execute(EMPTY)
    connection.close()
    office = Office(tmp_path, postgres)
    office.load()
    return office


def fill(office, count=5):
    """One forecast a minute, each rated by its own user."""
    ids = []
    for n in range(count):
        office.now = DATA_HOUR + timedelta(minutes=n)
        body = {"depot": ("north/a", "north/b")[n % 2], "target": "sent"}
        ids.append(office.predict(body, X_User_Id=f"user {n}").get_json()["prediction_id"])
        office.feedback({"prediction_id": ids[-1], "kind": "rating", "value": 1 + n % 5}, X_User_Id=f"user {n}")
    office.now += timedelta(minutes=1)
    office.ship()
    return ids


def test_metrics_sum_up_by_track_and_release(office):
    fill(office)
    body = office.ask("metrics").get_json()
    [row] = body["releases"]
    assert (row["track"], row["release"], row["forecasts"], row["clients"]) == ("production", "BO1", 5, 5)
    assert (row["ratings"], row["rating_mean"]) == (5, 3.0)
    assert 0 < row["latency_ms_p50"] <= row["latency_ms_p99"]


def test_metrics_of_a_window_hold_nothing_else(office):
    fill(office)
    assert office.ask("metrics?until=2026-11-02T05:00:00Z").get_json()["releases"] == []
    [row] = office.ask("metrics?since=2026-11-02T05:03:00Z").get_json()["releases"]
    assert row["forecasts"] == 2


@pytest.mark.parametrize("kind", ["forecasts", "feedback"])
def test_logs_are_paged_by_key_without_gap_or_repeat(office, kind):
    ids = fill(office)
    found, query = [], f"logs?kind={kind}&limit=2"
    while query:
        page = office.ask(query).get_json()
        found += [row["prediction_id"] for row in page["rows"]]
        query = f"logs?kind={kind}&limit=2&cursor={page['next']}" if page["next"] else None
    assert found == ids[::-1]


@pytest.mark.parametrize("kind", ["forecasts", "feedback"])
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("unique_id=north/b", 2),
        ("unique_id=north/b&target=lost", 0),
        ("track=production&release=BO1", 5),
        ("track=candidate", 0),
        ("release=BO2", 0),
        ("client=nobody", 0),
        ("since=2026-11-02T05:01:00Z&until=2026-11-02T05:03:30Z", 3),
    ],
)
def test_logs_are_filtered(office, kind, query, count):
    fill(office)
    assert len(office.ask(f"logs?kind={kind}&{query}").get_json()["rows"]) == count


def test_a_number_of_more_than_64_bits_in_the_feedback_is_shown(office, postgres):
    [prediction_id] = fill(office, count=1)
    connection = psycopg2.connect(postgres)
    with connection, connection.cursor() as cursor:
        cursor.execute("""UPDATE feedback SET kind = 'actual', value = '{"week": "2026-11-08", "value": 1e20}'""")
    connection.close()
    [row] = office.ask("logs?kind=feedback").get_json()["rows"]
    assert (row["prediction_id"], row["value"]) == (prediction_id, {"week": "2026-11-08", "value": 1e20})


def test_a_client_is_found_by_its_hash(office):
    fill(office)
    client = office.ask("logs?limit=1").get_json()["rows"][0]["client"]
    for kind in ("forecasts", "feedback"):
        assert len(office.ask(f"logs?kind={kind}&client={client}").get_json()["rows"]) == 1


def test_later_feedback_of_a_kind_replaces_the_earlier_one(office):
    prediction_id = office.predict(X_User_Id="ann").get_json()["prediction_id"]
    for user, value in (("ann", 1), ("ann", 5), ("bob", 3)):
        office.now += timedelta(seconds=1)
        office.feedback({"prediction_id": prediction_id, "kind": "rating", "value": value}, X_User_Id=user)
    office.now += timedelta(seconds=1)
    office.feedback({"prediction_id": prediction_id, "kind": "comment", "value": "x"}, X_User_Id="ann")
    office.ship()
    office.now += timedelta(seconds=1)
    rows = office.ask("logs?kind=feedback").get_json()["rows"]
    assert [(row["kind"], row["value"]) for row in rows] == [("comment", "x"), ("rating", 3), ("rating", 5)]


def test_experiments_come_with_evidence_and_verdicts(office, postgres):
    journal, at = PostgresJournal(postgres), DATA_HOUR + timedelta(hours=1)
    levels = [{"target": "sent", "production": 1.0, "candidate": 1.1}]
    for candidate in ("r2", "r3"):
        opened = journal.open_experiment("parcels", production="r1", candidate=candidate, at=DATA_HOUR)
        seen = TrackEvidence(release="BO1", requests=5, errors=0, latency_ms=1.0, ratings=5, rating=4.0)
        evidence = Evidence(experiment_id=opened.experiment_id, at=at, since=DATA_HOUR, production=seen, candidate=seen)
        look = NewLook(
            at=at,
            actor="evaluate_ab",
            policy="digest",
            policy_body="{}",
            stage="ab",
            decision=Decision(verdict=Verdict.HOLD, reason="too few", scores={}),
            evidence=evidence,
            body=json.dumps({"look": {"share": 0.2, "levels": levels}, "state": {"since": "2026-11-16T00:00:00Z"}}),
        )
        journal.record(opened.experiment_id, look, at=at)
        if candidate == "r3":
            continue
        journal.close_experiment(opened.experiment_id, verdict="rollback", at=at)
    first = office.ask("experiments?limit=1").get_json()
    [newest] = first["experiments"]
    assert (newest["candidate"], newest["verdicts"][0]["reason"]) == ("r3", "too few")
    assert newest["evidence"]["production"]["requests"] == 5
    assert newest["levels"] == levels
    told = {name: newest[name] for name in ("stage", "share", "waits_for", "stage_since")}
    assert told == {"stage": "ab", "share": 0.2, "waits_for": "too few", "stage_since": "2026-11-16T00:00:00+00:00"}
    assert (newest["verdicts"][0]["actor"], newest["verdicts"][0]["policy"]) == ("evaluate_ab", "digest")
    [older] = office.ask(f"experiments?before={first['next']}").get_json()["experiments"]
    assert (older["candidate"], older["waits_for"]) == ("r2", None)


def test_an_experiment_tells_what_moved_production_however_many_looks_followed(office, postgres):
    journal = PostgresJournal(postgres)
    opened = journal.open_experiment("parcels", production="r1", candidate="r2", at=DATA_HOUR)
    for number in range(104):
        at = DATA_HOUR + timedelta(hours=number + 1)
        verdict = Verdict.PROMOTE if number == 1 else Verdict.REVERT if number == 2 else Verdict.EXTEND
        decision = Decision(verdict=verdict, reason=f"look {number}", scores={})
        look = NewLook(
            at=at,
            actor="evaluate_ab",
            policy="digest",
            policy_body="{}",
            stage="watch",
            decision=decision,
            evidence=None,
            body="{}",
        )
        journal.record(opened.experiment_id, look, at=at)
    [found] = office.ask("experiments").get_json()["experiments"]
    assert {said["verdict"] for said in found["verdicts"]} == {"extend"}
    moved = (DATA_HOUR + timedelta(hours=3)).isoformat()
    assert found["moved"] == {"at": moved, "verdict": "revert", "reason": "look 2"}


def test_without_drift_there_is_no_report(office):
    answer = office.ask("drift_report")
    assert (answer.status_code, answer.get_json()["type"]) == (404, "/problems/no-drift-report")


def test_the_newest_drift_report_is_served_in_its_exact_form(office, postgres):
    said = Indicator(drift_percentage=-31.5, significant_drift=True, test="ks", p_value=0.0003, psi=0.4)
    for day, indicators in enumerate(({}, {"input.sent": said})):
        at = DATA_HOUR + timedelta(days=day)
        report = DriftReport(workload="parcels", release_id="r1", at=at, data=str(day), indicators=indicators)
        PostgresDrift(postgres).record(report, ended=None, raised=None)
    answer = office.ask("drift_report")
    assert answer.get_json() == {
        "overall_drift_detected": True,
        "drift_indicators": {
            "input.sent": {
                "drift_percentage": -31.5,
                "significant_drift": True,
                "test": "ks",
                "p_value": 0.0003,
                "psi": 0.4,
            }
        },
    }
    assert answer.last_modified == DATA_HOUR + timedelta(days=1)


ROUTES = ["metrics", "logs", "experiments", "drift_report"]


def test_a_time_zone_that_postgres_does_not_know_is_a_time_all_the_same(office):
    assert office.ask("metrics?since=0230-01-25T12:45:38-21:04").status_code == 200
    assert office.ask("metrics?since=0001-01-01T00:00:00%2B23:00").status_code == 422


@pytest.mark.parametrize("path", ROUTES)
def test_operators_only(office, path):
    assert office.ask(path, key="rk_p").status_code == 403
    assert office.ask(path, key=None).status_code == 401
    assert office.get(f"/api/made-up/{path}", key="rk_o").status_code == 404


@pytest.mark.parametrize("path", ROUTES)
def test_a_database_that_is_away_is_a_503_and_said_soon(office, path):
    office.app = create_app(replace(office.service, reports=PostgresReports("postgresql://nobody@127.0.0.1:1/none")))
    office.client, begin = office.app.test_client(), time.monotonic()
    answer = office.ask(path)
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/database-away")
    assert "nobody" not in answer.get_data(as_text=True)
    assert time.monotonic() - begin < 3


def test_a_question_that_takes_too_long_is_given_up(office, monkeypatch):
    monkeypatch.setattr("ratchet.observe.reports.FORECASTS", "SELECT pg_sleep(30)")
    begin = time.monotonic()
    assert office.ask("metrics").get_json()["type"] == "/problems/database-away"
    assert 2.5 < time.monotonic() - begin < 6


def test_one_operator_at_a_time_so_that_forecasts_keep_their_threads(office):
    seen = []

    class Curious:
        def summary(self, *_, **__):
            seen.append(office.ask("metrics").get_json()["type"])
            return []

    office.app = create_app(replace(office.service, reports=Curious()))
    office.client = office.app.test_client()
    assert office.ask("metrics").status_code == 200
    assert seen == ["/problems/busy"]
    assert office.ask("metrics").status_code == 200


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("metrics?since=0", "since"),
        ("metrics?since=2026-11-02T05:00:00", "since"),
        ("metrics?hours=5", "hours"),
        ("logs?limit=201", "limit"),
        ("logs?kind=secrets", "kind"),
        ("logs?unique_id=a%00b", "unique_id"),
        ("experiments?before=x", "before"),
        (f"experiments?before={2**63}", "before"),
    ],
)
def test_an_odd_question_is_named_by_field(office, path, field):
    answer = office.ask(path)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "path",
    [
        "metrics?since=2026-11-02T06:00:00Z&until=2026-11-02T05:00:00Z",
        "metrics?until=0001-01-01T00:00:00Z",
        "logs?until=0001-01-01T23:00:00Z",
        "logs?cursor=x",
        "logs?cursor=WzFd",
        "logs?cursor=%FF",
    ],
)
def test_what_makes_no_sense_is_refused(office, path):
    assert office.ask(path).status_code == 422
