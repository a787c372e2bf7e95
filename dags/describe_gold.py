"""### Describe gold: which series are alike.

Every night: the clusters that gold holds (k-means, k by silhouette) are shown in MLflow, experiment `<workload>-clusters`: k, the
silhouette of each k that was tried, a plot and the table. The same gold is logged once.

**By hand:** trigger it after new gold. **On failure:** MLflow was away; clear the task.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from ratchet import workloads


def make(workload: str, dag_id: str) -> None:
    """One describing DAG for one workload."""

    @dag(
        dag_id=dag_id,
        schedule=CronTriggerTimetable("40 3 * * *", timezone="UTC"),
        is_paused_upon_creation=False,  # looking costs seconds and changes nothing
        catchup=False,  # it looks at the newest gold
        max_active_runs=1,
        default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
        doc_md=__doc__,
        tags=["ratchet", "ingest", workload],
    )
    def describe_gold() -> None:
        @task
        def log_clusters() -> dict[str, float]:
            from ratchet.loop import Loop

            return Loop().log_clusters(workload)

        log_clusters()

    describe_gold()


for name in workloads.names():
    make(name, workloads.find(name).dag_id("describe_gold"))
