"""The DAGs: that they load, what they promise, and that each of them really runs."""

import gzip
import json
import re

import pytest

EXPECTED = {
    "ingest_github": ("ingest_github.py", ["announce", "backfill", "build_gold", "land"]),
    "train_candidate": ("train_candidate.py", ["register", "train", "validate"]),
    "refresh_forecasts": ("refresh_forecasts.py", ["refresh"]),
    "describe_gold": ("describe_gold.py", ["log_clusters"]),
    "evaluate_ab": (
        "evaluate_ab.py",
        ["act", "ask_a_person", "ask_for_another", "called_off", "look", "note", "waits_for_approval"],
    ),
    "approve_promotion": ("approve_promotion.py", ["ask", "say"]),
    "decide_by_hand": ("decide_by_hand.py", ["say"]),
    "monitor_drift": ("monitor_drift.py", ["ask_for_another", "asks", "look"]),
    "tidy_log": ("tidy_log.py", ["forget_runs", "tidy", "tidy_releases", "tidy_task_logs"]),
}


STAR = '{"id":"1","type":"WatchEvent","repo":{"name":"a/b"},"created_at":"2015-01-01T00:10:00Z","payload":{"action":"started"}}'


@pytest.fixture(scope="module")
def loaded(run_dag):
    return run_dag()


def test_every_file_loads_without_an_error(loaded):
    assert loaded["import_errors"] == {}


def test_these_dags_and_no_others_are_there(loaded):
    assert {dag_id: (dag["file"], dag["tasks"]) for dag_id, dag in loaded["dags"].items()} == EXPECTED


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_catchup_retries_and_one_run_at_a_time_are_set_on_purpose(loaded, dag_id):
    dag = loaded["dags"][dag_id]
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)
    assert min(dag["retries"]) >= (dag_id != "decide_by_hand")  # a person's word is not said twice


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_each_dag_explains_itself_in_the_ui(loaded, dag_id):
    assert loaded["dags"][dag_id]["doc"]


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_a_form_can_be_sent_as_it_opens(loaded, dag_id):
    """Airflow takes an empty string for a field that is still to be filled in: its button is dead until then."""
    empty = [name for name, value in loaded["dags"][dag_id]["params"].items() if value == ""]
    assert empty == (["why"] if dag_id == "decide_by_hand" else []), "a person's word needs a reason"


def test_an_answer_means_what_was_asked_about(run_dag):
    """The question may have been open for a day: another experiment may be waiting by now."""
    said = {"chosen_options": ["Approve"], "params_input": {"why": "it is fine"}, "responded_by_user": {"name": "ann"}}
    told = run_dag(conf=json.dumps({"said": said, "asked_at": "2026-11-21T10:00:00+00:00"}))
    assert told["order"] == {"who": "ann", "why": "it is fine", "placed": "2026-11-21 10:00:00+00:00"}


def train_a_candidate(run_dag, with_mlflow):
    """Two tasks validate, and try other windows, ahead of the training, which then has nothing of that left to do."""
    form = {"recipe": ["ets", "window_median"], "trials": 2, "reason": "a test"}
    second = run_dag("train_candidate", json.dumps(form), **with_mlflow)
    assert second["run"]["state"] == "success"
    assert second["run"]["mapped"] == {"validate": 2}
    jobs = [int(count) for count in re.findall(r"(\d+) of \1: ", second["log"])][:2]
    found = [int(count) for count in re.findall(r"(\d+) of \1 jobs were done before", second["log"])]
    assert sum(found) == sum(jobs)
    assert len(found) == 2, "validation and search"
    assert all(told in second["log"] for told in ("'name': 'CO1', 'state': 'trial'", "with ets, window_median: a test"))


def test_a_word_means_what_ran_when_the_dag_was_triggered(run_dag):
    """The DAG may have been paused, or its task is cleared a day later."""
    said = {"workload": "github_activity", "word": "rollback", "why": "it is bad"}
    conf = {"said": said, "asked_at": "2026-11-21T10:00:00+00:00", "dag_id": "decide_by_hand"}
    assert run_dag(conf=json.dumps(conf))["order"]["placed"] == "2026-11-21 10:00:00+00:00"


def test_a_question_is_open_as_long_as_the_policy_in_force_waits_and_then_over(run_dag):
    """Asked again it would be open for an experiment that has ended, and the next one's would wait behind it."""
    told = run_dag(conf=json.dumps({"ask": True}), POLICY='{"approval_hours": 72}')["order"]
    assert (told["hours"], told["end"]) == (72.0, "AirflowSkipException")
    assert told["says"] == "nobody answered within the policy's approval_hours: production stays"


def renew(run_dag, with_mlflow):
    """Newer hours arrive, too few to train on; both releases are issued again from them, once."""
    again = run_dag("ingest_github", "{}", **with_mlflow)
    assert again["run"]["tasks"]["announce"] == "skipped"
    refreshed = run_dag("refresh_forecasts", "{}", **with_mlflow)
    assert refreshed["run"]["state"] == "success"
    issued = re.search(r"issued again from gold as of 2026-11-16 00:00:00.00:00: \{(.*?)\}", refreshed["log"])
    assert issued is not None
    assert [part.rpartition(" ")[2] for part in issued[1].split(", ")] == ["2", "2"]
    assert "nothing was due" in run_dag("refresh_forecasts", "{}", **with_mlflow)["log"]


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(600)  # DAG runs, each in a process of its own
def test_the_dags_turn_the_loop_on_a_real_metadata_database(run_dag, mlflow_address):
    """Ingest, a first release, a candidate, newer weeks for both, a look without metrics: each DAG by `dag.test()`."""
    with_mlflow = {"MLFLOW_TRACKING_URI": mlflow_address, "PROMETHEUS_URL": "http://127.0.0.1:9"}

    ingested = run_dag("ingest_github", "{}", EVENTS_TO="2026-11-10", **with_mlflow)
    assert ingested["run"] == {
        "state": "success",
        "mapped": {},
        "tasks": {"land": "success", "backfill": "skipped", "build_gold": "success", "announce": "success"},
    }

    first = run_dag("train_candidate", "{}", **with_mlflow)
    assert first["run"]["state"] == "success"
    assert all(told in first["log"] for told in ("'state': 'production'", "with seasonal_naive: by hand"))

    train_a_candidate(run_dag, with_mlflow)

    described = run_dag("describe_gold", "{}", **with_mlflow)
    assert described["run"]["state"] == "success"
    assert "'k': " in described["log"]

    renew(run_dag, with_mlflow)

    looked = run_dag("evaluate_ab", "{}", **with_mlflow)
    assert looked["run"]["tasks"] == {
        "look": "success",
        "act": "success",
        "waits_for_approval": "success",
        "ask_a_person": "skipped",
        "called_off": "success",
        "ask_for_another": "skipped",
        "note": "skipped",
    }
    assert "warmup: verdict extend, because not every worker serves the candidate yet" in looked["log"]

    plainly = run_dag("evaluate_ab", json.dumps({"mode": "spec"}), **with_mlflow)
    assert "ab: verdict extend, because its turn: ab" in plainly["log"]

    said = run_dag("decide_by_hand", json.dumps({"word": "rollback", "why": "a test"}), **with_mlflow)
    assert said["run"]["state"] == "success"
    assert "rollback by" in said["log"]

    strange = {"recent": {"input.commits": {f"2026-0{month}-01": [50.0] * 24 for month in range(1, 9)}}}
    drifting = run_dag("monitor_drift", json.dumps(strange), **with_mlflow)
    assert drifting["run"]["tasks"] == {"look": "success", "asks": "success", "ask_for_another": "success"}, (
        "gold has more to learn from"
    )
    assert "drift: input.commits: DRIFT" in drifting["log"]
    assert "drift page: http" in drifting["log"]

    tidied = run_dag("tidy_log", "{}", **with_mlflow)
    assert tidied["run"]["tasks"] == dict.fromkeys(
        ("forget_runs", "tidy", "tidy_releases", "tidy_task_logs"), "success"
    )
    assert "{'removed': [], 'issues': {}, 'waits': ''}" in tidied["log"], "twelve releases are kept, and there are two"


@pytest.mark.stack
def test_a_backfill_maps_over_hours_and_then_builds_gold_once(run_dag, mlflow_address, tmp_path):
    values = {"DATA_HOME": str(tmp_path), "BRONZE": "", "MLFLOW_TRACKING_URI": mlflow_address}
    done = run_dag("ingest_github", json.dumps({"from": "2026-11-09T00", "to": "2026-11-09T02"}), **values)
    assert done["run"]["mapped"] == {"backfill": 3}
    tasks = done["run"]["tasks"]
    assert (tasks["land"], tasks["backfill"], tasks["build_gold"]) == ("success", "success", "success")
    landed = sorted(path.name for path in (tmp_path / "bronze" / "sample_events" / "2026-11-09").glob("*.gz"))
    assert landed == ["0.json.gz", "1.json.gz", "2.json.gz"]


@pytest.mark.stack
def test_a_source_that_is_away_fails_the_run_and_gold_moves(run_dag, mlflow_address, tmp_path):
    hours = tmp_path / "hours"
    hours.mkdir()
    for name in ("2015-01-01-0", "2015-01-04-23"):
        (hours / f"{name}.json.gz").write_bytes(gzip.compress(STAR.encode()))
    values = {"DATA_HOME": str(tmp_path), "BRONZE": "", "MLFLOW_TRACKING_URI": mlflow_address}
    empty = '{"from": null, "to": null}'  # said, for `dag.test` would repeat what the test before has filled in
    done = run_dag("ingest_github", empty, **values, EVENTS=f"csv:{tmp_path}/nowhere; {hours}")
    assert done["run"]["state"] == "failed"
    assert (done["run"]["tasks"]["build_gold"], done["run"]["tasks"]["announce"]) == ("success", "upstream_failed")
    assert (tmp_path / "gold" / "github_activity" / "newest.json").exists()


@pytest.mark.stack
def test_a_form_with_a_senseless_hour_is_refused(run_dag):
    with pytest.raises(AssertionError, match=r"does not match|is not valid"):
        run_dag("ingest_github", json.dumps({"from": "2026-1-1"}))


@pytest.mark.stack
def test_a_form_with_an_unknown_family_is_refused(run_dag):
    with pytest.raises(AssertionError, match="recipe"):
        run_dag("train_candidate", json.dumps({"recipe": ["crystal_ball"]}))
