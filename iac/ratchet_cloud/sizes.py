"""Three sizes. docs/cloud.md says what each costs; `python iac/cost.py` works it out from this page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """CPU units (1024 are a core) and MiB of one task, and how many there are: at most eight, for more are not told to who asks a name."""

    cpu: int
    memory: int
    least: int = 1
    most: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one installation runs on."""

    zones: int
    nat_gateways: int
    database_class: str
    database_gb: int
    database_replica: bool
    queue_class: str
    queue_nodes: int
    backup_days: int
    log_days: int
    tasks: Mapping[str, Task]


def _tasks(*, inference: Task, training: Task, dask: Task) -> dict[str, Task]:
    small = Task(cpu=256, memory=512)
    return {
        "inference-production": inference,
        "inference-candidate": Task(cpu=inference.cpu, memory=inference.memory),
        "router": Task(cpu=256, memory=512, least=inference.least, most=inference.least),
        "mlflow": Task(cpu=512, memory=2048),
        "airflow-api-server": Task(cpu=512, memory=2048),
        "airflow-scheduler": Task(cpu=512, memory=2048),
        "airflow-dag-processor": Task(cpu=256, memory=1024),
        "airflow-worker": training,
        "guard": small,
        "dashboard": Task(cpu=256, memory=1024),
        "prometheus": Task(cpu=256, memory=1024),
        "alertmanager": small,
        "exporter": small,
        "reports": small,
        "dask-scheduler": Task(cpu=256, memory=1024, least=min(dask.least, 1), most=1),
        "dask-worker": dask,
    }


SIZES: Final[Mapping[str, Size]] = {
    "small": Size(
        zones=2, nat_gateways=1, database_class="db.t4g.micro", database_gb=20, database_replica=False, queue_class="cache.t4g.micro",
        queue_nodes=1, backup_days=7, log_days=14,
        tasks=_tasks(
            inference=Task(cpu=256, memory=512, least=1, most=2),
            training=Task(cpu=1024, memory=4096),
            dask=Task(cpu=1024, memory=4096, least=0, most=0),
        ),
    ),
    "medium": Size(
        zones=2, nat_gateways=1, database_class="db.t4g.medium", database_gb=100, database_replica=True, queue_class="cache.t4g.micro",
        queue_nodes=2, backup_days=14, log_days=30,
        tasks=_tasks(
            inference=Task(cpu=512, memory=1024, least=2, most=6),
            training=Task(cpu=4096, memory=16384),
            dask=Task(cpu=2048, memory=8192, least=2, most=2),
        ),
    ),
    "large": Size(
        zones=3, nat_gateways=3, database_class="db.m6g.large", database_gb=500, database_replica=True, queue_class="cache.t4g.small",
        queue_nodes=2, backup_days=35, log_days=90,
        tasks=_tasks(
            inference=Task(cpu=1024, memory=2048, least=4, most=8),
            training=Task(cpu=8192, memory=32768, least=2, most=2),
            dask=Task(cpu=4096, memory=16384, least=8, most=8),
        ),
    ),
}  # fmt: skip
