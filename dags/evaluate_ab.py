"""### Evaluate: evidence in, a verdict out, carried out.

Every hour: `observe` keeps the evidence of the open experiment up to this run's hour, `decide` judges it by the workload's policy
and writes the verdict down with its reason, `act` carries it out. A promotion moves the alias `production`; a rollback takes the
candidate off and asks `train_candidate` for another one.

**By hand:** trigger it to look now. **On failure:** clear the failed task; what was decided but not carried out is carried out then, once.
A hole in the metrics is never read as zero: the verdict is `hold`, with the reason.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from ratchet import workloads


def make(workload: str, dag_id: str, train_dag_id: str) -> None:
    """One evaluation DAG for one workload."""

    @dag(
        dag_id=dag_id,
        schedule=CronTriggerTimetable("0 * * * *", timezone="UTC"),
        catchup=False,  # an hour that was missed is part of the next look's evidence
        max_active_runs=1,  # looks come one after the other
        default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
        doc_md=__doc__,
        tags=["ratchet", "evaluate", workload],
    )
    def evaluate_ab() -> None:
        @task
        def observe() -> str:
            from ratchet.loop import Loop

            dag_run = get_current_context()["dag_run"]
            at = (dag_run.logical_date or dag_run.run_after).astimezone(UTC)
            Loop().observe(workload, at=at)
            return at.isoformat()

        @task
        def decide(at: str) -> dict[str, str]:
            from ratchet.loop import Loop

            return Loop().decide(workload, at=datetime.fromisoformat(at))

        @task
        def act(verdict: dict[str, str]) -> str:
            from ratchet.loop import Loop

            Loop().act(workload)
            return verdict["verdict"]

        @task.short_circuit
        def rolled_back(verdict: str) -> bool:
            return verdict == "rollback"

        retrain = TriggerDagRunOperator(
            task_id="ask_for_another",
            trigger_dag_id=train_dag_id,
            conf={"reason": "the last candidate was rolled back"},
        )
        rolled_back(act(decide(observe()))) >> retrain

    evaluate_ab()


for name in workloads.names():
    make(name, workloads.find(name).dag_id("evaluate_ab"), workloads.find(name).dag_id("train_candidate"))
