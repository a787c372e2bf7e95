"""### Decide by hand: a person's word on the open experiment.

The same as `ratchet promote|rollback|revert|hold|clear|approve|deny --why …` in a shell: the experiment is measured, the word is
written down with who said it and why, and carried out. It goes before every rule but the guardrail. Where the stage does not allow it,
or another experiment has begun since the run was triggered (it was paused, or is cleared a day later), the run fails and says so.
"""

from datetime import UTC
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from ratchet import workloads

WORDS = {
    "hold": "hold: nothing is promoted until somebody clears it",
    "clear": "clear a hold",
    "promote": "promote the candidate: it becomes production for everyone",
    "rollback": "roll back: the candidate is taken off, production stays",
    "revert": "revert: after a promotion, the beaten release comes back",
    "approve": "approve a promotion that waits for a person",
    "deny": "deny it",
}


@dag(
    dag_id="decide_by_hand",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # words come one after the other
    default_args={"retries": 0},  # a person sees at once that it failed, and says it again
    doc_md=__doc__,
    params={
        "word": Param("hold", type="string", enum=list(WORDS), values_display=WORDS, title="What to do"),
        "why": Param("", type="string", minLength=0, maxLength=500, title="Why", description="kept with the verdict"),
        "workload": Param(workloads.names()[0], type="string", enum=list(workloads.names()), title="Workload"),
    },
    tags=["ratchet", "evaluate"],
)
def decide_by_hand() -> None:
    """One word, one look."""

    @task
    def say(params: dict[str, Any] | None = None) -> dict[str, Any]:
        from ratchet.contracts.look import OrderKind
        from ratchet.loop import Loop

        form, run = params or {}, get_current_context()["dag_run"]
        who, said_at = str(getattr(run, "triggering_user_name", None) or "airflow"), run.run_after.astimezone(UTC)
        return Loop().order(form["workload"], OrderKind(form["word"]), who=who, why=str(form["why"]), placed=said_at)

    say()


decide_by_hand()
