"""Simulated experiments that run the real policies: what a rule does to people and models, before it does it.

`scenarios` say what is true, `world` makes the looks of one experiment, `rules` judge them, `compare` counts.
"""

from ratchet.decide.simulation.compare import Cell, compare, table
from ratchet.decide.simulation.rules import RULES
from ratchet.decide.simulation.scenarios import SCENARIOS, Scenario

__all__ = ["RULES", "SCENARIOS", "Cell", "Scenario", "compare", "table"]
