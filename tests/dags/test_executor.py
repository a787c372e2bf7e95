"""The executor that Airflow is started with."""

import os
import subprocess
import sys

ENDS = """
import os, signal
from airflow.executors.executor_loader import ExecutorLoader
from ratchet.stack import executor

executor.PATIENCE_SECONDS = 1.0
running = ExecutorLoader.get_default_executor()
running.start()
assert len(running.workers) == 4, running.workers
os.kill(next(iter(running.workers)), signal.SIGSTOP)
running.end()
print("=== ended")
"""


def test_a_worker_that_misses_its_word_to_stop_does_not_keep_the_scheduler(airflow_environment):
    command = [sys.executable, "-c", ENDS]
    done = subprocess.run(
        command, env=os.environ | airflow_environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert "=== ended" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
