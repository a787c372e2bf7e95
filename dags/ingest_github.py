"""### Ingest: events in, weekly gold out.

Every hour: land what the sources of the setting `EVENTS` offer and bronze has not, then bring silver and gold up to date with dbt. Gold
moves only if every dbt test and every hard quality check passes; otherwise this run fails and the old gold stays. The quality
report's address is in the log of `build_gold` and in what it returns.

When gold is at least one complete week ahead of the newest release, the asset `gold` is updated, which starts `train_candidate`.

**By hand:** trigger it at any time; what has landed is never read again. **Backfill:** trigger it with *from* (and *to*): the hours
between are landed by up to 48 mapped tasks, four at a time, each with equally many hours; then gold is built once. **On failure:** the
failed task's log names the source, the hour or the dbt test; mend it and clear the task, it goes on where it was. While a source is away
the others land and gold is built from them; the run fails and starts no training. Hours that are missing or damaged at the source and
repositories that refuse stop nothing: the log of `land` names them, `ratchet ingest status` lists them, and they are tried again.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, CronTriggerTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from ratchet import workloads

HOUR = {
    "type": ["null", "string"],
    "pattern": r"^\d{4}-\d{2}-\d{2}([T -]\d{1,2})?$",
    "examples": ["2026-01-31", "2026-01-31T05"],
}


def make(workload: str, dag_id: str) -> None:
    """One ingest DAG for one workload."""
    gold = Asset(name=f"gold_{workload}", uri=f"ratchet://gold/{workload}")

    @dag(
        dag_id=dag_id,
        schedule=CronTriggerTimetable("5 * * * *", timezone="UTC"),
        catchup=False,  # each run lands whatever is missing, however old
        max_active_runs=1,  # one writer of silver and gold
        default_args={"retries": 2, "retry_delay": timedelta(minutes=2)},
        doc_md=__doc__,
        params={
            "from": Param(
                None, title="From", description="first hour to land (UTC); empty: whatever is missing", **HOUR
            ),
            "to": Param(None, title="To", description="last hour; a day counts whole; empty: up to now", **HOUR),
        },
        tags=["ratchet", "ingest", workload],
    )
    def ingest() -> None:
        @task
        def land(params: dict[str, Any] | None = None) -> list[dict[str, str]]:
            from ratchet.loop import Loop

            form = params or {}
            if form.get("from") or form.get("to"):
                return Loop().plan_hours(form.get("from") or "", form.get("to") or "")
            Loop().land(workload)
            return []

        @task(max_active_tis_per_dagrun=4)
        def backfill(hours: dict[str, str]) -> dict[str, int]:
            from ratchet.loop import Loop

            return Loop().land(workload, **hours)

        @task(
            trigger_rule="all_done"
        )  # nothing to backfill is the usual case, and a source that is away stops no other
        def build_gold() -> dict[str, str]:
            from ratchet.loop import Loop

            return Loop().build_gold(workload)

        @task(outlets=[gold], trigger_rule="none_failed")
        def announce(built: dict[str, str]) -> dict[str, str]:
            from ratchet.loop import Loop

            if not Loop().gold_moved_enough(workload):
                raise AirflowSkipException(
                    "gold is less than a week ahead of the newest release: nothing to train on yet"
                )
            return built

        landed, built = backfill.expand(hours=land()), build_gold()
        landed >> [built, announce(built)]  # with the second, a run in which something did not land has failed

    ingest()


for name in workloads.names():
    make(name, workloads.find(name).dag_id("ingest"))
