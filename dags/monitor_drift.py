"""### Monitor drift: whether the world still looks like what production learnt from.

Every day: `look` compares recent activity, coverage, forecasts, errors and ratings with the reference that the production release was
saved with, keeps the report (`GET /api/{workload}/drift_report`, metrics `ratchet_drift_*`, a page whose address is this task's
`page` in XCom and in its log). Drift that is confirmed asks `train_candidate` for a new candidate, once: again only when it was gone in
between, or for the release that comes next.

**Form:** `recent` is data to look at instead of what is found, `{feature: {period: [numbers]}}`; `fresh` passes over
what the tracking server has kept of the last hours. **On failure:** clear the task; the same run never asks twice.
"""

from datetime import UTC, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, Param, dag, get_current_context, task

from ratchet import workloads


def make(workload: str, dag_id: str, train_dag_id: str) -> None:
    """One look a day for one workload."""

    @dag(
        dag_id=dag_id,
        schedule=CronTriggerTimetable("40 4 * * *", timezone="UTC"),
        is_paused_upon_creation=False,  # it only looks; what it asks for is a candidate, which has to prove itself
        catchup=False,  # yesterday's world cannot be looked at again
        max_active_runs=1,
        default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
        doc_md=__doc__,
        params={
            "recent": Param(None, type=["null", "object"], title="Recent data", description="empty: look for them"),
            "fresh": Param(False, type="boolean", title="Pass over what the tracking server has kept"),  # noqa: FBT003
        },
        tags=["ratchet", "drift", workload],
    )
    def monitor_drift() -> None:
        @task
        def look(params: dict[str, Any] | None = None) -> dict[str, Any]:
            from ratchet.loop import Loop

            form, run = params or {}, get_current_context()["dag_run"]
            at = (run.logical_date or run.run_after).astimezone(UTC)
            return Loop().look_for_drift(workload, at=at, given=form.get("recent"), fresh=bool(form.get("fresh")))

        @task.short_circuit
        def asks(looked: dict[str, Any]) -> bool:
            return bool(looked["asks"])

        retrain = TriggerDagRunOperator(
            task_id="ask_for_another", trigger_dag_id=train_dag_id, conf={"reason": "production's data have drifted"}
        )
        asks(look()) >> retrain

    monitor_drift()


for name in workloads.names():
    make(name, workloads.find(name).dag_id("monitor_drift"), workloads.find(name).dag_id("train_candidate"))
