"""What a candidate expects beside production, as its warm-up would have seen it; of the one week that releases are renewed for."""

import warnings

import numpy as np

from ratchet.contracts.look import Level
from ratchet.contracts.release import split_name
from ratchet.observe.levels import LATELY, relative
from ratchet.rehearsal.history import History
from ratchet.rehearsal.plants import Contender


def compare(production: Contender, candidate: Contender, history: History, week: int) -> tuple[Level, ...]:
    """What both expect of this week, by target, of series that both know and that were seen lately."""
    old, new = production.of(week), candidate.of(week)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice", category=RuntimeWarning)
        came = np.nanmedian(history.values[:, max(week - LATELY, 0) : week], axis=1)
    targets = np.array([split_name(name)[1] for name in history.names])
    known = np.isfinite(old) & np.isfinite(new) & np.isfinite(came)
    return tuple(
        Level(target=target, production=relative(old[rows], came[rows]), candidate=relative(new[rows], came[rows]))
        for target in history.targets
        if (rows := known & (targets == target)).any()
    )
