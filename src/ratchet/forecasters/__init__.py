"""Families of forecasters, one per file. A new family is a new file with a `make`; there is no register to edit.

What may be tried of its options it says in `SPACE`: option to `Setting`.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from itertools import product
from typing import Any, Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster, Learned, Setting, Shape

WORTH: Final = 0.1
"""A value is tried if it can matter to this share of the series, and to one at least."""


def names() -> tuple[str, ...]:
    """Every family, by name. Nothing is imported to find out."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def find(name: str, *, season_length: int = 52, **options: Any) -> Forecaster:  # noqa: ANN401 - each family types its own
    """Make an unfitted forecaster of the family; `DataError` names the known ones if there is no such family."""
    try:
        made = _module(name).make(season_length=season_length, **options)
    except TypeError as error:
        raise DataError(f"family {name!r}: {error}") from error
    forecaster: Forecaster = made.made_with({"season_length": season_length, **options})
    return forecaster


def read(name: str, files: Mapping[str, bytes]) -> Learned:
    """Make again what a pooled family's `files` gave."""
    learned: Learned = _module(name).read(files)
    return learned


def variants(name: str, shape: Shape) -> list[dict[str, Any]]:
    """Options to try beside a family's defaults, on series like these, fewest changes first; always in the same order."""
    module = _module(name)
    space: Mapping[str, Setting] = getattr(module, "SPACE", {})
    usual = {option: inspect.signature(module.make).parameters[option].default for option in space}
    tried = [
        [(option, value) for value in setting.values if value != usual[option] and _is_worth(setting, value, shape)]
        for option, setting in space.items()
    ]
    combined = [dict(filter(None, chosen)) for chosen in product(*([None, *values] for values in tried))]
    return sorted((options for options in combined if options), key=len)


def _is_worth(setting: Setting, value: Any, shape: Shape) -> bool:  # noqa: ANN401 - each family types its own
    count = len(shape.length)
    matters = count if setting.where is None else int(setting.where(shape, value).sum())
    return matters >= max(1.0, WORTH * count)


def _module(name: str) -> Any:  # noqa: ANN401 - a module
    if name not in names():
        raise DataError(f"no family {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")
