"""Recent data, from whoever has it: the run's conf, the tracking server, the database, this disk, in this order and feature by feature."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ratchet.contracts.drift import Observations
from ratchet.contracts.errors import DataError, RatchetError

log = logging.getLogger("ratchet.drifting")

Origin = tuple[str, Callable[[], Mapping[str, Observations]]]
"""A place by its name, and how to ask it for every feature that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """What was seen of each feature, and where it came from."""

    observed: Mapping[str, Observations]
    origins: Mapping[str, str]


def collect(origins: Sequence[Origin], wanted: Iterable[str]) -> Recent:
    """Each feature from the first place that has it; each place that is passed over is said in the log, with the reason."""
    missing, observed, came_from = set(wanted), {}, {}
    for name, ask in origins:
        if not missing:
            break
        try:
            offered = {feature: values for feature, values in ask().items() if any(values.values())}
        except RatchetError as error:
            log.warning("recent data: %s cannot be asked: %s; going on to the next", name, error)
            continue
        found = missing & set(offered)
        for feature in sorted(found):
            observed[feature], came_from[feature] = offered[feature], name
        missing -= found
        log.info("recent data: %s has %s", name, ", ".join(sorted(found)) or "nothing of what is wanted")
        if missing:
            log.info("recent data: %s lacks %s; falling back to the next", name, ", ".join(sorted(missing)))
    if missing:
        log.warning("recent data: nobody has %s; it is not judged", ", ".join(sorted(missing)))
    return Recent(observed=observed, origins=came_from)


def read_conf(given: object) -> dict[str, Observations]:
    """`{feature: {period: [values]}}` as somebody passed it in; a `DataError` says what is wrong with it."""
    if given in (None, {}):
        return {}
    if not isinstance(given, Mapping):
        raise DataError("conf: `recent` must be an object of feature to {period: [numbers]}")
    return {str(feature): _periods(feature, periods) for feature, periods in given.items()}


def _periods(feature: object, periods: object) -> Observations:
    if not isinstance(periods, Mapping):
        raise DataError(f"conf: recent {feature} must be an object of period to a list of numbers")
    return {str(period): _numbers(feature, values) for period, values in periods.items()}


def _numbers(feature: object, values: Any) -> tuple[float, ...]:  # noqa: ANN401  # whatever JSON holds
    numbers = isinstance(values, list) and all(type(value) in (int, float) for value in values)
    if not numbers or not all(math.isfinite(value) for value in values):
        raise DataError(f"conf: recent {feature} holds something that is not a finite number")
    return tuple(float(value) for value in values)
