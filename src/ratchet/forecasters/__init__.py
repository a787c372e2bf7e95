"""Families of forecasters, one per file. A new family is a new file with a `make`; there is no register to edit."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster, Learned


def names() -> tuple[str, ...]:
    """Every family, by name. Nothing is imported to find out."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def find(name: str, *, season_length: int = 52, **options: Any) -> Forecaster:  # noqa: ANN401 - each family types its own
    """Make an unfitted forecaster of the family; `DataError` names the known ones if there is no such family."""
    try:
        forecaster: Forecaster = _module(name).make(season_length=season_length, **options)
    except TypeError as error:
        raise DataError(f"family {name!r}: {error}") from error
    return forecaster


def read(name: str, files: Mapping[str, bytes]) -> Learned:
    """Make again what a pooled family's `files` gave."""
    learned: Learned = _module(name).read(files)
    return learned


def space(name: str) -> Mapping[str, tuple[Any, ...]]:
    """Return what may be tried of a family's options: option to values; empty where there is nothing to choose."""
    return dict(getattr(_module(name), "SPACE", {}))


def _module(name: str) -> Any:  # noqa: ANN401 - a module
    if name not in names():
        raise DataError(f"no family {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")
