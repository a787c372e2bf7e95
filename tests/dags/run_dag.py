"""A process of its own that loads `dags/` and, if a DAG is named, runs it with `dag.test()`. Prints JSON. Not a test itself."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag

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
    dag_run = bag.dags[dag_id].test(run_conf=conf)
    instances = dag_run.get_task_instances()
    states = {instance.task_id: str(instance.state) for instance in instances}
    mapped = Counter(instance.task_id for instance in instances if instance.map_index >= 0)
    return {"state": str(dag_run.state), "tasks": states, "mapped": dict(mapped)}


def main() -> None:
    bag = DagBag(dag_folder=FOLDER, bundle_path=FOLDER, bundle_name="dags-folder")
    answer: dict[str, Any] = {"import_errors": bag.import_errors, "dags": describe(bag)}
    if len(sys.argv) > 1:
        answer["run"] = run(bag, sys.argv[1], json.loads(sys.argv[2]))
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
