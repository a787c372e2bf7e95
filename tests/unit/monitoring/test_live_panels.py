"""What the panels of the page *Live* count, asked of promtool."""

from monitoring.dashboard.screens.live import RUNS

COUNTS = {
    "ran_before": "5+0x60 6+0x60",  # one within the hour
    "new": "_x90 1+0x20 2+0x9",  # nothing was known of it before it ran
    "idle": "3+0x121",
}


def test_the_first_run_of_a_dag_counts_too(promtool):
    series = {
        f'airflow_dag_run_seconds_count{{dag_id="{name}",state="success"}}': values for name, values in COUNTS.items()
    }
    expected = {f'{{dag_id="{name}"}}': value for name, value in (("ran_before", 1), ("new", 2), ("idle", 0))}
    promtool(series, RUNS, expected, at="120m")
