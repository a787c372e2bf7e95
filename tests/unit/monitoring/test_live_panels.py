"""What the panels of the page *Live* count, asked of promtool."""

import json
import shutil
import subprocess

import pytest

from monitoring.dashboard.screens.live import RUNS

COUNTS = {
    "ran_before": "5+0x60 6+0x60",  # one within the hour
    "new": "_x90 1+0x20 2+0x9",  # nothing was known of it before it ran
    "idle": "3+0x121",
}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="tools/install run brings promtool")
def test_the_first_run_of_a_dag_counts_too(tmp_path):
    series = [
        {"series": f'airflow_dag_run_seconds_count{{dag_id="{name}",state="success"}}', "values": values}
        for name, values in COUNTS.items()
    ]
    expected = [
        {"labels": f'{{dag_id="{name}"}}', "value": value}
        for name, value in (("ran_before", 1), ("new", 2), ("idle", 0))
    ]
    asked = [{"expr": RUNS, "eval_time": "120m", "exp_samples": expected}]
    test = {
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}],
    }
    (tmp_path / "test.yml").write_text(json.dumps(test))  # JSON is YAML
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
