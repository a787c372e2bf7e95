"""Folds ordered in time: what was known up to a week, and the weeks that came after it. Pure."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.train.panel import Panel

COUNT = 10
"""Four to choose families by and six to calibrate bounds on; the cost of training is one fit more than this."""
STRIDE = 8
"""Weeks between cutoffs: closer ones would only say the same again."""


MIN_TO_PART = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Learn from the first `cutoff` weeks, forecast the `horizon` weeks after them."""

    cutoff: int
    horizon: int

    def known(self, panel: Panel) -> Panel:
        """Show what a forecaster may see."""
        return panel.until(self.cutoff)

    def actual(self, panel: Panel) -> NDArray[np.float64]:
        """Show what happened then, where that is known: [series, step]."""
        return panel.happened(self.cutoff, self.cutoff + self.horizon)


def plan(weeks: int, *, horizon: int, count: int = COUNT, spare: int = 0) -> tuple[Fold, ...]:
    """Lay out up to `count` folds, oldest first, the last one ending with the history; none in a history too short.

    Each holds out the whole horizon, or a third of a shorter history, and at least as much is learnt from as is held out.
    `spare` weeks at the end are left alone where there is room: cutoffs that stay where they were last week cost nothing again.
    """
    held_out = min(horizon, weeks // 3)
    if held_out < 1:
        return ()
    stride = min(STRIDE, max(1, held_out // 3)) if weeks < 4 * horizon else STRIDE
    end = weeks - spare % stride if weeks >= 4 * horizon else weeks
    cutoffs = [end - held_out - stride * back for back in range(count)]
    return tuple(Fold(cutoff=cutoff, horizon=held_out) for cutoff in reversed(cutoffs) if cutoff >= held_out)


def of(panel: Panel, *, horizon: int) -> tuple[Fold, ...]:
    """Lay out a panel's folds: their cutoffs stay on the same calendar weeks from one training to the next."""
    spare = (panel.weeks[-1] - pd.Timestamp(0)).days // 7
    return plan(len(panel.weeks), horizon=horizon, spare=spare)


def split(folds: tuple[Fold, ...]) -> int:
    """Return how many of the oldest folds families are chosen by; the rest calibrates. 0: there are too few to part."""
    return len(folds) * 2 // 5 if len(folds) >= MIN_TO_PART else 0
