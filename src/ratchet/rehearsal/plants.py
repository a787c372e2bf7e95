"""What a planted candidate does to its forecasts, its speed and its answers."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.rehearsal.history import History
from ratchet.rehearsal.plan import Bad
from ratchet.rehearsal.releases import Issued

Floats = NDArray[np.float64]

BIAS: Final = 1.5
SLOW_SHARE: Final = 0.3
ERROR_SHARE: Final = 0.1
GOOD_WEEKS: Final = 2
FIRST_DRIFT, MORE_DRIFT = 0.4, 0.2
NORMAL_MS, SLOW_MS = 50.0, 2500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A release as users meet it."""

    issued: Issued
    planted: Bad | None = None

    @property
    def name(self) -> str:
        """Its id, and what was done to it."""
        return self.issued.release_id if self.planted is None else f"{self.issued.release_id}+{self.planted.value}"

    @property
    def extra_bad(self) -> float:
        """Bad requests per request, beyond everybody's."""
        return {Bad.SLOW: SLOW_SHARE, Bad.ERRORING: ERROR_SHARE}.get(self.planted, 0.0) if self.planted else 0.0

    @property
    def latency_ms(self) -> float:
        """Mean time to answer."""
        return NORMAL_MS + (SLOW_SHARE * SLOW_MS if self.planted is Bad.SLOW else 0.0)

    def of(self, week: int) -> Floats:
        """What it said of a week."""
        return self.issued.of(week)


def plant(contender: Contender, kind: Bad, history: History, *, last: int) -> Contender:
    """Make a candidate bad. Only `drifting` looks at what will happen: it has to win first."""
    issued = contender.issued
    if kind is Bad.BIASED:
        renewed = None if issued.renewed is None else issued.renewed * BIAS
        issued = replace(issued, forecasts=issued.forecasts * BIAS, renewed=renewed)
    if kind is Bad.DRIFTING:
        issued = replace(issued, forecasts=_drift(issued, history, last=last), renewed=None)
    return Contender(issued=issued, planted=kind)


def _drift(issued: Issued, history: History, *, last: int) -> Floats:
    weeks = range(issued.trained + 1, last + 1)
    told = np.stack([issued.of(week) for week in weeks], axis=1)
    actual = history.values[:, issued.trained + 1 : last + 1]
    late = np.arange(len(weeks)) - GOOD_WEEKS
    factor = np.where(late < 0, 1.0, 1.0 + FIRST_DRIFT + MORE_DRIFT * late)
    good = np.where(np.isnan(actual), told, (told + actual) / 2.0)
    return np.where(late[None, :] < 0, good, told * factor[None, :])
