"""The workloads, found by listing this folder: a new one is a new folder and nothing else."""

import importlib
import pkgutil

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.workload import Workload


def names() -> tuple[str, ...]:
    """Every workload's name, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))


def find(name: str) -> Workload:
    """Return the workload of this name, or a `RatchetError` that lists the known ones."""
    if name not in names():
        raise RatchetError(f"no workload `{name}`; known: {', '.join(names())}")
    workload: Workload = importlib.import_module(f"{__name__}.{name}").WORKLOAD
    return workload
