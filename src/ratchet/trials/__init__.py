"""Trials: looks at experiments, written down, and the world brought to what the newest look says. Through ports only."""

from ratchet.trials.acting import Trials
from ratchet.trials.looking import Looker
from ratchet.trials.placement import Placement, place
from ratchet.trials.replaying import replay_all
from ratchet.trials.turns import Turns

__all__ = ["Looker", "Placement", "Trials", "Turns", "place", "replay_all"]
