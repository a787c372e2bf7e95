"""*Pipelines*: how long DAGs take, what failed, what they cost, what landed."""

from typing import Final

from monitoring.grafana.boards.choice import W
from monitoring.grafana.panels import Board, Panel, line, number

PIPELINES: Final = Board(
    uid="ratchet-pipelines",
    title="Pipelines",
    about="DAGs: how long, how often, what failed, what they cost; what landed.",
    rows=(
        (
            "DAGs",
            (
                Panel(
                    title="Duration",
                    about="Mean duration of the runs of the last six hours.",
                    unit="s",
                    wide=12,
                    queries=(
                        line(
                            "{{dag_id}}",
                            "sum by (dag_id) (increase(airflow_dag_run_seconds_sum[6h]))"
                            " / (sum by (dag_id) (increase(airflow_dag_run_seconds_count[6h])) > 0)"
                            " or sum by (dag_id) (airflow_dag_run_seconds_sum) / sum by (dag_id) (airflow_dag_run_seconds_count)",
                        ),
                    ),
                ),
                Panel(
                    title="Runs",
                    about="Runs by how they ended, since the exporter started.",
                    unit="short",
                    wide=6,
                    queries=(line("{{dag_id}} {{state}}", "sum by (dag_id, state) (airflow_dag_run_seconds_count)"),),
                ),
                Panel(
                    title="Failed runs",
                    about="Since the exporter started.",
                    unit="short",
                    wide=6,
                    empty="while no run has failed",
                    queries=(line("{{dag_id}}", 'sum by (dag_id) (airflow_dag_run_seconds_count{state="failed"})'),),
                ),
                Panel(
                    title="Since the last success",
                    about="By DAG.",
                    unit="s",
                    wide=8,
                    queries=(
                        line(
                            "{{dag_id}}",
                            'time() - max by (dag_id) (last_over_time(airflow_dag_last_run_timestamp_seconds{state="success"}[7d]))',
                        ),
                    ),
                ),
                Panel(
                    title="Cost per run",
                    about="Time that workers spent on tasks, per run: what a run costs on a machine that is paid by the second.",
                    unit="s",
                    wide=8,
                    queries=(
                        line(
                            "{{dag_id}}",
                            "sum by (dag_id) (airflow_task_seconds_sum) / sum by (dag_id) (airflow_dag_run_seconds_count)",
                        ),
                    ),
                ),
                Panel(
                    title="Tasks that failed",
                    about="By task, since the exporter started.",
                    unit="short",
                    wide=8,
                    empty="while no task has failed",
                    queries=(
                        line(
                            "{{dag_id}} {{task_id}}",
                            'sum by (dag_id, task_id) (airflow_tasks_finished_total{state="failed"})',
                        ),
                    ),
                ),
            ),
        ),
        (
            "Ingest",
            (
                Panel(
                    title="Landed",
                    about="Files a second, by source.",
                    unit="short",
                    queries=(
                        line("{{source}}", "sum by (source) (rate(ratchet_landed_files_total[$__rate_interval]))"),
                    ),
                ),
                Panel(
                    title="Landed in all",
                    about="Bytes in bronze, by source.",
                    unit="bytes",
                    queries=(line("{{source}}", "sum by (source) (ratchet_landed_bytes_total)"),),
                ),
                Panel(
                    title="Gold",
                    about="Series in the newest gold.",
                    unit="short",
                    queries=(line("{{workload}}", f"max by (workload) (ratchet_gold_series{{{W}}})"),),
                ),
                Panel(
                    title="Gold's age",
                    about="Since the newest hour that gold was built from.",
                    unit="s",
                    queries=(line("{{workload}}", f"max by (workload) (ratchet_gold_age_seconds{{{W}}})"),),
                ),
                Panel(
                    title="Rejected events",
                    about="Records of bronze that are none of ours, by reason.",
                    unit="short",
                    empty="while nothing was rejected",
                    queries=(line("{{reason}}", f"sum by (reason) (ratchet_rejected_events_total{{{W}}})"),),
                ),
                Panel(
                    title="Failed checks",
                    about="Of data quality, by check.",
                    unit="short",
                    empty="while every check passed",
                    queries=(line("{{check}}", f"sum by (check) (ratchet_quality_failures_total{{{W}}})"),),
                ),
            ),
        ),
        (
            "Airflow",
            (
                Panel(
                    title="Signs of life",
                    about="Heartbeats a minute.",
                    unit="short",
                    wide=8,
                    queries=(line("{{part}}", "60 * sum by (part) (rate(airflow_heartbeats_total[2m]))"),),
                ),
                Panel(
                    title="Executor",
                    about="Slots by state.",
                    unit="short",
                    wide=8,
                    queries=(line("{{state}}", "max by (state) (airflow_executor_tasks)"),),
                ),
                number(
                    "Files that cannot be read",
                    "Import errors in dags/.",
                    "short",
                    "max(airflow_import_errors)",
                    wide=8,
                ),
            ),
        ),
    ),
)
