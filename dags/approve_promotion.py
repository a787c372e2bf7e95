"""### Approve: a person is asked before a promotion.

Only where the policy says `needs_approval`, or where too few people rated for errors alone to promote. `evaluate_ab` starts this once per
request; the experiment is measured on meanwhile, its guardrails still act, and the request expires after the `approval_hours` of the
policy in force (`ratchet policy show`): production stays then, and the run's tasks are *skipped*. An answer that comes when another
experiment runs, or when a guardrail has spoken first, fails its run and says so. Answer under *Required Actions*, with a reason;
`ratchet approve|deny --why …` does the same.
"""

from datetime import UTC, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from ratchet import workloads


class Question(HITLOperator):
    """Open for as long as the policy in force has the experiment wait; then it is over, and is not asked again."""

    def __init__(self, *, workload: str, **named: object) -> None:
        super().__init__(**named)
        self.workload = workload

    def execute(self, context: Context) -> object:
        """Ask."""
        from ratchet.loop import Loop

        self.response_timeout = timedelta(hours=Loop().policy(self.workload).approval_hours)
        return super().execute(context)

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Say that nobody answered: nothing is wrong with the run."""
        if event["error_type"] == "timeout":
            raise AirflowSkipException("nobody answered within the policy's approval_hours: production stays")
        super().process_trigger_event_error(event)


def make(workload: str, dag_id: str) -> None:
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

        ask = Question(
            task_id="ask",
            workload=workload,
            subject=f"Promote the candidate of {workload}?",
            body="`ratchet policy show` says by which policy, `GET /api/{workload}/experiments` what it found.".replace(
                "{workload}", workload
            ),
            options=["Approve", "Deny"],
            params={"why": Param("", type="string", maxLength=500, title="Why")},
        )
        say(ask.output)

    approve_promotion()


for name in workloads.names():
    make(name, workloads.find(name).dag_id("approve_promotion"))
