"""### Evaluate: evidence in, a verdict out, carried out.

Every hour: `look` measures the open experiment up to this run's hour, judges it by the workload's policy and writes the look down
with its reason; `act` carries it out: aliases, share, names. A promotion moves the alias `production`; after a rollback or a revert,
also one of the guard's or of a person's, `train_candidate` is asked for another candidate, once, with the reason.

**Form:** `mode` judges this one look by another rule (`spec` is the plain one); empty: the workload's own. **By hand:** trigger it to
look now. **On failure:** clear the failed task; what was decided but not carried out is carried out then, once. What nobody could
measure is never read as zero: the verdict says what is missing, and nothing is promoted on it.
"""

from datetime import UTC, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronTriggerTimetable, Param, dag, get_current_context, task

from ratchet import workloads


def make(workload: str, dag_id: str, train_dag_id: str, approve_dag_id: str) -> None:
    """One evaluation DAG for one workload."""

    @dag(
        dag_id=dag_id,
        schedule=CronTriggerTimetable("0 * * * *", timezone="UTC"),
        catchup=False,  # an hour that was missed is part of the next look's evidence
        max_active_runs=1,  # looks come one after the other
        default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
        doc_md=__doc__,
        params={
            "mode": Param(
                None,  # an empty string is a field to fill in: the form could not be sent
                type=["null", "string"],
                pattern="^(spec|spec_guarded|evidence|)$",
                examples=["spec", "spec_guarded", "evidence"],
                title="Rule for this one look",
                description="empty: the workload's own",
            )
        },
        tags=["ratchet", "evaluate", workload],
    )
    def evaluate_ab() -> None:
        @task
        def look(params: dict[str, Any] | None = None) -> dict[str, str]:
            from ratchet.loop import Loop

            run = get_current_context()["dag_run"]
            at = (run.logical_date or run.run_after).astimezone(UTC)
            return Loop().look(workload, at=at, actor=dag_id, mode=(params or {}).get("mode") or "")

        @task
        def act(_: dict[str, str]) -> None:
            from ratchet.loop import Loop

            Loop().act(workload)

        @task.short_circuit
        def waits_for_approval() -> str:
            from ratchet.loop import Loop

            return Loop().waiting_since(workload)

        @task.short_circuit
        def called_off() -> dict[str, Any] | None:
            from ratchet.loop import Loop

            return Loop().unanswered(workload)

        @task
        def note(found: dict[str, Any]) -> None:
            from ratchet.loop import Loop

            Loop().answered(int(found["look_id"]))

        ask = TriggerDagRunOperator(
            task_id="ask_a_person",
            trigger_dag_id=approve_dag_id,
            trigger_run_id="{{ ti.xcom_pull(task_ids='waits_for_approval') }}",
            skip_when_already_exists=True,  # asked once, however many looks find it waiting
        )
        reason = "{{ ti.xcom_pull(task_ids='called_off')['reason'][:200] }}"
        retrain = TriggerDagRunOperator(task_id="ask_for_another", trigger_dag_id=train_dag_id, conf={"reason": reason})
        acted, found = act(look()), called_off()
        acted >> waits_for_approval() >> ask
        acted >> found >> retrain >> note(found)

    evaluate_ab()


for name in workloads.names():
    found = workloads.find(name)
    make(name, *(found.dag_id(kind) for kind in ("evaluate_ab", "train_candidate", "approve_promotion")))
