"""A process of its own that loads `dags/` once and runs what it is asked to, line by line, with `dag.test()`. Not a test itself.

A line in: `{"dag": id or null, "conf": {…}, "environment": {…}}`; a conf without a DAG is a person's
word, or asks for one. Out: what the run logs, then a line that begins with ANSWER and is JSON.
"""

import json
import os
import sys
import traceback
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowException, TaskAwaitingInput

ANSWER = "=== "
FOLDER = Path(__file__).parents[2] / "dags"


def describe(bag: DagBag) -> dict[str, Any]:
    return {
        dag_id: {
            "file": Path(dag.fileloc).name,
            "tasks": sorted(task.task_id for task in dag.tasks),
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "retries": sorted({task.retries for task in dag.tasks}),
            "doc": bool(dag.doc_md),
            "schedule": dag.timetable.__class__.__name__,
            "params": dag.params.dump(),
        }
        for dag_id, dag in bag.dags.items()
    }


def run(bag: DagBag, dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
    for task in bag.dags[dag_id].tasks:
        if not task.is_mapped:
            task.retry_delay = timedelta(0)  # what fails in a test fails at once
    dag_run = bag.dags[dag_id].test(run_conf=conf)
    instances = dag_run.get_task_instances()
    states = {instance.task_id: str(instance.state) for instance in instances}
    mapped = Counter(instance.task_id for instance in instances if instance.map_index >= 0)
    return {"state": str(dag_run.state), "tasks": states, "mapped": dict(mapped)}


def say_to(bag: DagBag, said: dict[str, Any], *, asked_at: str, dag_id: str = "approve_promotion") -> dict[str, Any]:
    """Have a person's word carried on by a DAG: what the loop is told of it."""
    task = bag.dags[dag_id].get_task("say")
    context = {"dag_run": mock.Mock(run_after=datetime.fromisoformat(asked_at))}
    with (
        mock.patch("ratchet.loop.Loop") as loop,
        mock.patch.dict(task.python_callable.__globals__, get_current_context=lambda: context),
    ):
        loop.return_value.order.return_value = {}
        task.python_callable(said)
    words = loop.return_value.order.call_args.kwargs
    return {name: str(word) for name, word in words.items()}


def ask(bag: DagBag) -> dict[str, Any]:
    """Ask for approval, and have nobody answer: how long the question was open, and what the run says in the end."""
    question = bag.dags["approve_promotion"].get_task("ask")
    with mock.patch("airflow.providers.standard.operators.hitl.upsert_hitl_detail"):
        try:
            question.execute({"task_instance": mock.Mock()})
        except TaskAwaitingInput as waiting:
            hours = waiting.timeout / timedelta(hours=1)
    try:
        question.execute_complete({}, {"error": "passed", "error_type": "timeout"})
    except AirflowException as over:
        return {"hours": hours, "end": type(over).__name__, "says": str(over)}
    return {"hours": hours}


def answer(bag: DagBag, wanted: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"import_errors": bag.import_errors, "dags": describe(bag)}
    if not wanted["dag"] and wanted["conf"]:
        with mock.patch.dict(os.environ, wanted["environment"]):
            told["order"] = say_to(bag, **wanted["conf"]) if "said" in wanted["conf"] else ask(bag)
    if wanted["dag"]:
        with mock.patch.dict(os.environ, wanted["environment"]):
            try:
                told["run"] = run(bag, wanted["dag"], wanted["conf"])
            except Exception:  # noqa: BLE001  # whatever a DAG raises is an answer
                told["error"] = traceback.format_exc()
    return told


def main() -> None:
    bag = DagBag(dag_folder=FOLDER, bundle_path=FOLDER, bundle_name="dags-folder")
    for line in sys.stdin:
        told = answer(bag, json.loads(line))
        sys.stderr.flush()
        sys.stdout.write(f"\n{ANSWER}{json.dumps(told)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
