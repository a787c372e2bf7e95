"""### Approve: a person is asked before a promotion.

Only where the policy says `needs_approval`, or where too few people rated for errors alone to promote. `evaluate_ab` starts this once per
request; the experiment is measured on meanwhile, its guardrails still act, and the request expires after the policy's `approval_hours`:
production stays then, and an answer that comes when another experiment runs is refused. Answer under *Required Actions*, with a
reason; `ratchet approve|deny --why …` does the same.
"""

from datetime import UTC, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, dag, get_current_context, task

from ratchet import workloads


def make(workload: str, dag_id: str, hours: float) -> None:
    """One DAG that asks for one workload."""

    @dag(
        dag_id=dag_id,
        schedule=None,
        catchup=False,
        max_active_runs=1,  # one question at a time
        default_args={"retries": 1},
        doc_md=__doc__,
        tags=["ratchet", "evaluate", workload],
    )
    def approve_promotion() -> None:
        @task
        def say(answer: dict[str, Any]) -> dict[str, Any]:
            from ratchet.contracts.look import OrderKind
            from ratchet.loop import Loop

            kind = OrderKind.APPROVE if answer["chosen_options"] == ["Approve"] else OrderKind.DENY
            user = answer.get("responded_by_user") or {}
            why = (answer.get("params_input") or {}).get("why") or "answered in Airflow"
            who, asked_at = str(user.get("name") or "airflow"), get_current_context()["dag_run"].run_after
            return Loop().order(workload, kind, who=who, why=str(why), placed=asked_at.astimezone(UTC))

        ask = HITLOperator(
            task_id="ask",
            subject=f"Promote the candidate of {workload}?",
            body="`ratchet policy show` says by which policy, `GET /api/{workload}/experiments` what it found.".replace(
                "{workload}", workload
            ),
            options=["Approve", "Deny"],
            params={"why": Param("", type="string", maxLength=500, title="Why")},
            response_timeout=timedelta(hours=hours),
        )
        say(ask.output)

    approve_promotion()


for name in workloads.names():
    found = workloads.find(name)
    make(name, found.dag_id("approve_promotion"), found.policy.approval_hours)
