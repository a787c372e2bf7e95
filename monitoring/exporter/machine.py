"""The machine: processors, memory, the disk that holds all state, and what each supervised service takes of them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


class Machine:
    """What psutil says; `home` is where the disk is looked at."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def collect(self) -> Iterator[Metric]:
        """Whole machine first, then by service."""
        disk, memory, busy = psutil.disk_usage(str(self._home)), psutil.virtual_memory(), psutil.cpu_times()
        yield GaugeMetricFamily("ratchet_disk_free_bytes", "Free on the disk that holds DATA_HOME", value=disk.free)
        yield GaugeMetricFamily("ratchet_disk_bytes", "Size of that disk", value=disk.total)
        yield GaugeMetricFamily("ratchet_memory_available_bytes", "Memory that can be had", value=memory.available)
        yield GaugeMetricFamily("ratchet_memory_bytes", "Memory in all", value=memory.total)
        yield GaugeMetricFamily("ratchet_processors", "Processors", value=psutil.cpu_count() or 1)
        yield CounterMetricFamily(
            "ratchet_processor_busy_seconds", "Processor time that anyone used", value=busy.user + busy.system
        )
        yield from _by_service(self._home / "run")


def _by_service(run: Path) -> tuple[Metric, Metric]:
    spent: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for process in psutil.process_iter():
        try:
            folder = Path(process.cwd())  # each service works in a folder of its own name; some hide their environment
            if folder.parent == run:
                times = process.cpu_times()
                spent[folder.name] += times.user + times.system
                held[folder.name] += process.memory_info().rss
        except psutil.Error:
            continue  # it has ended meanwhile, or is not ours to look at
    labels = ("service",)
    seconds = GaugeMetricFamily(
        "ratchet_service_processor_seconds", "Processor time of the service's living processes", labels=labels
    )
    memory = GaugeMetricFamily(
        "ratchet_service_memory_bytes",
        "Resident memory of a service's processes, shared pages counted in each",
        labels=labels,
    )
    for service in spent:
        seconds.add_metric((service,), spent[service])
        memory.add_metric((service,), held[service])
    return seconds, memory
