"""Airflow's StatsD as metrics. Names carry tags the way InfluxDB wants them: `airflow.name,tag=value:12|ms`."""

import logging
import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

logger = logging.getLogger(__name__)

PREFIX: Final = "airflow."
MAX_DATAGRAM: Final = 65_535
RUN_SECONDS: Final = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line of StatsD."""

    name: str
    value: float
    kind: str
    tags: dict[str, str]


class Measures:
    """Every metric that is made of Airflow's."""

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._runs = Histogram(
            "airflow_dag_run_seconds", "How long runs took", ("dag_id", "state"), registry=registry, buckets=RUN_SECONDS
        )
        self._last_run = Gauge(
            "airflow_dag_last_run_timestamp_seconds", "When a run last ended so", ("dag_id", "state"), registry=registry
        )
        self._delay = Summary(
            "airflow_dag_schedule_delay_seconds", "How late runs started", ("dag_id",), registry=registry
        )
        self._tasks = Summary(
            "airflow_task_seconds", "Time that a worker spent on a task", ("dag_id", "task_id"), registry=registry
        )
        self._finished = Counter(
            "airflow_tasks_finished", "Tasks by how they ended", ("dag_id", "task_id", "state"), registry=registry
        )
        self._heartbeats = Counter("airflow_heartbeats", "Signs of life", ("part",), registry=registry)
        self._import_errors = Gauge("airflow_import_errors", "Files in dags/ that cannot be read", registry=registry)
        self._executor = Gauge(
            "airflow_executor_tasks", "Slots of the executor by state", ("state",), registry=registry
        )
        for part in ("scheduler", "dag_processor"):
            self._heartbeats.labels(part)

    def take(self, sample: Sample) -> None:
        """Count a sample; one that nobody asked for is left alone."""
        tags, seconds = sample.tags, sample.value / 1000
        dag, task = tags.get("dag_id", ""), tags.get("task_id", "")
        match sample.name:
            case "dagrun.duration.success" | "dagrun.duration.failed":
                state = sample.name.rpartition(".")[2]
                self._runs.labels(dag, state).observe(seconds)
                self._last_run.labels(dag, state).set(self._clock())
            case "dagrun.schedule_delay":
                self._delay.labels(dag).observe(seconds)
            case "task.duration":
                self._tasks.labels(dag, task).observe(seconds)
            case "ti.finish":
                self._finished.labels(dag, task, tags.get("state", "")).inc(sample.value)
            case _:
                self._take_state(sample)

    def _take_state(self, sample: Sample) -> None:
        match sample.name:
            case "scheduler_heartbeat" | "dag_processor_heartbeat":
                self._heartbeats.labels(sample.name.removesuffix("_heartbeat")).inc(sample.value)
            case "dag_processing.import_errors":
                self._import_errors.set(sample.value)
            case "executor.open_slots" | "executor.queued_tasks" | "executor.running_tasks":
                self._executor.labels(sample.name.partition(".")[2].partition("_")[0]).set(sample.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Receives on a UDP port; what makes no sense is dropped, as StatsD does."""

    measures: Measures
    bind: str
    port: int

    def run(self) -> None:
        """Receive until the process ends."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            opened.bind((self.bind, self.port))
            while True:
                for line in opened.recv(MAX_DATAGRAM).decode(errors="replace").splitlines():
                    if sample := parse(line):
                        with suppress(ValueError):  # a counter that would go down
                            self.measures.take(sample)


def parse(line: str) -> Sample | None:
    """Read one line; None if it is not Airflow's or makes no sense."""
    head, _, rest = line.rpartition(":")
    value, _, kind = rest.partition("|")
    name, *tags = head.split(",")
    if not name.startswith(PREFIX):
        return None
    try:
        pairs, number = dict(tag.split("=", 1) for tag in tags), float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return Sample(name=name.removeprefix(PREFIX), value=number, kind=kind.partition("|")[0], tags=pairs)
