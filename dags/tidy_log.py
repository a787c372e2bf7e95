"""### Tidy: the forecast log has its next days ready and keeps no more than it should.

Every day: partitions of today and the next three days are made, days older than `LOG_RETENTION_DAYS` are dropped whole, and feedback as
old goes with them. A forecast never waits for this: the forwarder makes a day that is missing.

**By hand:** trigger it after lowering the retention. **On failure:** clear the task; running it twice equals running it once.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task


@dag(
    dag_id="tidy_log",
    schedule=CronTriggerTimetable("20 3 * * *", timezone="UTC"),
    is_paused_upon_creation=False,  # forgetting on time is not something to remember
    catchup=False,  # it looks at what is there now
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["ratchet", "serve"],
)
def tidy_log() -> None:
    """One task: everything happens in the loop."""

    @task
    def tidy() -> dict[str, int]:
        from ratchet.loop import Loop

        return Loop().tidy()

    tidy()


tidy_log()
