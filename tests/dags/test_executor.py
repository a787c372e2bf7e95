"""The executor that Airflow is started with."""

import os
import subprocess
import sys

ENDS = """
import os, signal, time
import psutil
from airflow.executors import local_executor
from airflow.executors.executor_loader import ExecutorLoader
from ratchet.stack import executor

executor.PATIENCE_SECONDS = 1.0
running = ExecutorLoader.get_default_executor()

running.start()
assert len(running.workers) == 4, running.workers
deaf = next(iter(running.workers))
while psutil.Process(deaf).cmdline() == psutil.Process().cmdline():
    time.sleep(0.01)
os.kill(deaf, signal.SIGSTOP)
running.end()
print("=== ended without the one that waited for a task")

local_executor.setproctitle = lambda *_: os.kill(os.getpid(), signal.SIGSTOP)
running.start()
while any(psutil.Process(pid).status() != psutil.STATUS_STOPPED for pid in running.workers):
    time.sleep(0.01)
running.end()
print("=== ended without those that had not begun to wait")
"""


def test_a_worker_that_misses_its_word_to_stop_does_not_keep_the_scheduler(airflow_environment):
    command = [sys.executable, "-c", ENDS]
    done = subprocess.run(
        command, env=os.environ | airflow_environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.stdout.count("=== ended") == 2, done.stdout[-2000:] + done.stderr[-2000:]
