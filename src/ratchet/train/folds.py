"""Folds ordered in time: what was known up to a week, and the weeks that came after it. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratchet.train.panel import Panel

COUNT = 6
"""Enough residuals for 95 % bounds in each size class; the cost of training is one fit more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Learn from the first `cutoff` weeks, forecast the `horizon` weeks after them."""

    cutoff: int
    horizon: int

    def known(self, panel: Panel) -> Panel:
        """Show what a forecaster may see."""
        return panel.until(self.cutoff)

    def actual(self, panel: Panel) -> NDArray[np.float64]:
        """Show what happened then: [series, step]."""
        return panel.values[:, self.cutoff : self.cutoff + self.horizon]


def plan(weeks: int, *, horizon: int, count: int = COUNT) -> tuple[Fold, ...]:
    """Lay out up to `count` folds, oldest first, the last one ending with the history; none in a history too short.

    Each holds out the whole horizon, or a third of a shorter history. Cutoffs are a third of that apart, and
    at least as much is learnt from as is held out.
    """
    held_out = min(horizon, weeks // 3)
    if held_out < 1:
        return ()
    stride = max(1, held_out // 3)
    cutoffs = [weeks - held_out - stride * back for back in range(count)]
    return tuple(Fold(cutoff=cutoff, horizon=held_out) for cutoff in reversed(cutoffs) if cutoff >= held_out)
