"""### Refresh forecasts: the live releases issued again from newer weeks, without training.

Every hour it looks whether a week has been completed since a release was issued, or a day has passed in which late events may have
changed earlier weeks; if so, the release forecasts again with the model that it has. **All releases that are compared are issued from the
same gold in the same run**: production, the candidate, and a beaten release that is still scored. An experiment so compares models and
not the ages of their data. With them come the newest release in the queue and the one that a revert would bring back. Serving takes the
new issue up within 10 s, without a dropped request.

**On failure:** what could be issued was; the log names the release that could not and why. It goes on answering from its last issue. Clear
the task: an issue that is there is not made again.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from ratchet import workloads


def make(workload: str, dag_id: str) -> None:
    """One refreshing DAG for one workload."""

    @dag(
        dag_id=dag_id,
        schedule=CronTriggerTimetable("25 * * * *", timezone="UTC"),
        catchup=False,  # only the newest gold matters
        max_active_runs=1,
        default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
        doc_md=__doc__,
        tags=["ratchet", "refresh", workload],
    )
    def refresh_forecasts() -> None:
        @task
        def refresh() -> dict[str, int]:
            from ratchet.loop import Loop

            return Loop().refresh(workload)

        refresh()

    refresh_forecasts()


for name in workloads.names():
    make(name, workloads.find(name).dag_id("refresh_forecasts"))
