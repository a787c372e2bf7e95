"""Airflow's runs of long ago, on its real metadata database: those that nobody can need are forgotten, and no DAG with them."""

import os
from datetime import UTC, datetime

import psycopg2
import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.stack.airflow_database import forget_runs

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

AGE = "UPDATE dag_run SET start_date = now() - interval '%s days', run_type = %s WHERE run_id = %s"
FORBIDDEN = "airflow-db-not-allowed:///"
"""What Airflow puts in the way of its tasks."""


@pytest.fixture
def airflow(airflow_environment, monkeypatch):
    """A task's environment."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in airflow_environment.items():
        monkeypatch.setenv(name, value)
    for section in ("DATABASE", "CORE"):
        monkeypatch.setenv(f"AIRFLOW__{section}__SQL_ALCHEMY_CONN", FORBIDDEN)
    return airflow_environment["AIRFLOW_DATABASE_URL"]


def ask(address, statement, *values):
    with psycopg2.connect(address.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def made(run_dag, address, *, days, kind):
    """A run with its tasks, begun so many days ago."""
    run_dag("decide_by_hand", '{"word": "rollback", "why": "nothing is on trial, and it ends at once"}')
    ((run_id,),) = ask(address, "SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1")
    ask(address, AGE, days, kind, run_id)
    ask(address, "UPDATE task_instance SET start_date = now() - interval '%s days' WHERE run_id = %s", days, run_id)
    return run_id


def test_runs_of_long_ago_are_forgotten_and_each_dags_newest_scheduled_one_is_not(run_dag, airflow):
    old, older, newest, young = (
        made(run_dag, airflow, days=days, kind=kind)
        for days, kind in ((91, "manual"), (200, "scheduled"), (100, "scheduled"), (89, "manual"))
    )
    ask(airflow, "UPDATE dag SET last_parsed_time = now() - interval '400 days'")
    dags = ask(airflow, "SELECT dag_id FROM dag ORDER BY dag_id")
    forget_runs(airflow, keep_days=90, now=datetime.now(UTC))
    left = {run_id for (run_id,) in ask(airflow, "SELECT run_id FROM dag_run")}
    assert {old, older, newest, young} & left == {newest, young}
    assert {run_id for (run_id,) in ask(airflow, "SELECT DISTINCT run_id FROM task_instance")} & {old, older} == set()
    assert dags == ask(airflow, "SELECT dag_id FROM dag ORDER BY dag_id") != []
    assert ask(airflow, "SELECT tablename FROM pg_tables WHERE tablename LIKE '%%deleted%%'") == []


def test_a_run_of_this_month_stays_however_little_is_kept(run_dag, airflow):
    run_id = made(run_dag, airflow, days=29, kind="manual")
    forget_runs(airflow, keep_days=1, now=datetime.now(UTC))
    assert ask(airflow, "SELECT count(*) FROM dag_run WHERE run_id = %s", run_id) == [(1,)]


def test_what_celery_kept_of_tasks_goes_too(airflow):
    ask(airflow, "CREATE TABLE celery_taskmeta (id serial PRIMARY KEY, date_done timestamp)")
    ask(airflow, "INSERT INTO celery_taskmeta (date_done) VALUES (now() - interval '91 days'), (now())")
    forget_runs(airflow, keep_days=90, now=datetime.now(UTC))
    assert ask(airflow, "SELECT count(*) FROM celery_taskmeta") == [(1,)]


def test_a_database_that_is_away_fails_the_task(airflow):
    with pytest.raises(RatchetError, match="`airflow db clean` failed"):
        forget_runs(airflow.replace("@127.0.0.1", "@127.0.0.2:1/none?x="), keep_days=90, now=datetime.now(UTC))
