"""Waiting for a DAG's run, by Airflow's REST API as a local server speaks it."""

import json
import time
from contextlib import ExitStack

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.stack.airflow import Airflow
from web import Reply, serve


@pytest.fixture
def airflow_where():
    """A client of an Airflow whose run has these states, one a look, the last one for good; and whether another run is at work."""
    with ExitStack() as servers:

        def make(*states, others=False):
            left = list(states)

            def answer(asked):
                if asked.query.get("state") == "running":
                    return reply({"dag_runs": [{}] * others})
                if asked.path.endswith("r1"):
                    return reply({"state": left.pop(0) if len(left) > 1 else left[0]})
                return reply({"access_token": "t", "task_instances": [{"task_id": "land", "state": "failed"}]})

            return Airflow(address=servers.enter_context(serve(answer)).address, password="p")

        yield make


def reply(body):
    return Reply(body=json.dumps(body).encode())


def test_a_run_that_works_is_waited_for_however_long_it_takes(airflow_where):
    told = []
    airflow_where("queued", "running", "running", "success").wait(
        "ingest", "r1", timeout=0.6, long=0.6, tell=told.append
    )
    assert told == ["  it goes on for as long as it needs; its log: airflow/logs/dag_id=ingest/run_id=r1 in DATA_HOME"]


def test_a_run_behind_another_one_waits_for_its_turn(airflow_where):
    airflow_where("queued", "queued", "success", others=True).wait("ingest", "r1", timeout=0.3)


def test_an_airflow_that_is_too_busy_to_answer_once_is_asked_again():
    left = [0.6, 0.0, 0.6, 0.0]

    def answer(asked):
        if asked.path.endswith("r1"):
            time.sleep(left.pop(0))
            return reply({"state": "running" if left else "success"})
        return reply({"access_token": "t"})

    with serve(answer) as server:
        Airflow(address=server.address, password="p", patience=0.3).wait("ingest", "r1", timeout=30)
    assert left == []


def test_a_run_that_nobody_takes_up_says_where_to_look(airflow_where):
    with pytest.raises(RatchetError, match="nobody took its run up for 0 s; see `make logs S=airflow-scheduler`"):
        airflow_where("queued").wait("ingest", "r1", timeout=0.2)


def test_a_run_that_failed_names_its_task(airflow_where):
    with pytest.raises(RatchetError, match="DAG ingest failed in land"):
        airflow_where("running", "failed").wait("ingest", "r1", timeout=0.2)
