"""Families of forecasters, one per file. A new family is a new file with a `make`; there is no register to edit."""

import importlib
import pkgutil

from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster


def names() -> tuple[str, ...]:
    """Every family, by name. Nothing is imported to find out."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def find(name: str, *, season_length: int = 52) -> Forecaster:
    """Make an unfitted forecaster of the family; `DataError` names the known ones if there is no such family."""
    if name not in names():
        raise DataError(f"no family {name!r}; there are: {', '.join(names())}")
    forecaster: Forecaster = importlib.import_module(f"{__name__}.{name}").make(season_length=season_length)
    return forecaster
