"""### Tidy: the forecast log has its next days ready, and neither it nor the registry keeps more than it should.

Every day: partitions of today and the next three days are made, days older than `LOG_RETENTION_DAYS` are dropped whole, and feedback as
old goes with them. A forecast never waits for this: the forwarder makes a day that is missing. Logs of tasks as old go too, and so
do Airflow's runs, but none of the last 30 days and not the newest scheduled one of a DAG.

Releases beyond the newest `RELEASES_KEEP` lose their files, unless an alias names them, a track serves them, an experiment is about them or
its last word could bring them back; card, scores, plots and names stay in MLflow (`lifecycle` = `archived`, `files` = `gone`). Of its
issues those stay that a week may still be measured by. `ratchet tidy --dry-run` says what would go and why the rest stays.

**By hand:** trigger it after lowering the retention. **On failure:** clear the task; running it twice equals running it once.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from ratchet import workloads


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
    """A task for each thing that grows: one that fails keeps no other from it."""

    @task
    def tidy() -> dict[str, int]:
        from ratchet.loop import Loop

        return Loop().tidy()

    @task
    def tidy_releases(workload: str) -> dict[str, Any]:
        from ratchet.loop import Loop

        done = Loop().tidy_releases(workload)
        return {
            "removed": list(done.removed),
            "issues": {one: list(old) for one, old in done.issues.items()},
            "waits": done.waits,
        }

    @task
    def tidy_task_logs() -> int:
        from airflow.sdk.configuration import conf

        from ratchet.loop import Loop

        return Loop().tidy_task_logs(conf.get("logging", "base_log_folder"))

    @task
    def forget_runs() -> None:
        from airflow.sdk.exceptions import AirflowSkipException

        from ratchet.settings import Settings
        from ratchet.stack import airflow_database

        database = os.environ.get("AIRFLOW_DATABASE_URL")
        if not database:
            raise AirflowSkipException("Ratchet did not start this Airflow: whoever did looks after its database")
        airflow_database.forget_runs(database, keep_days=Settings.load().log_retention_days, now=datetime.now(UTC))

    tidy()
    tidy_task_logs()
    forget_runs()
    tidy_releases.expand(workload=workloads.names())


tidy_log()
