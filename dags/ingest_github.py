"""### Ingest: events in, weekly gold out.

Every hour: land each hour file that the source offers and bronze has not, then bring silver and gold up to date with dbt. Gold moves
only if every dbt test and every hard quality check passes; otherwise this run fails and the old gold stays. The address of the quality
report is in the log of `build_gold` and in its return value (XCom `report`).

When gold is at least one complete week ahead of the newest release, the asset `gold` is updated, which starts `train_candidate`.

**By hand:** trigger it at any time; hours that have landed are never read again. **On failure:** the failed task's log names the
hour or the dbt test; mend the source and clear the task.
"""

from datetime import timedelta

from airflow.sdk import Asset, CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from ratchet import workloads


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
        tags=["ratchet", "ingest", workload],
    )
    def ingest() -> None:
        @task
        def land() -> dict[str, int]:
            from ratchet.loop import Loop

            return Loop().land(workload)

        @task
        def build_gold(_landed: dict[str, int]) -> dict[str, str]:
            from ratchet.loop import Loop

            return Loop().build_gold(workload)

        @task(outlets=[gold])
        def announce(built: dict[str, str]) -> dict[str, str]:
            from ratchet.loop import Loop

            if not Loop().gold_moved_enough(workload):
                raise AirflowSkipException(
                    "gold is less than a week ahead of the newest release: nothing to train on yet"
                )
            return built

        announce(build_gold(land()))

    ingest()


for name in workloads.names():
    make(name, workloads.find(name).dag_id("ingest"))
