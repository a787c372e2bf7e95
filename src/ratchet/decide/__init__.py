"""decide: evidence and policy in, a verdict with its reason out. Arithmetic only: no clock, network or log.

`decide` is the plain rule over all that was measured; `step` judges one look after another.
"""

from ratchet.decide.composite import decide
from ratchet.decide.records import Record, digest, replay
from ratchet.decide.state import Stage, State, queued, share
from ratchet.decide.step import step

__all__ = ["Record", "Stage", "State", "decide", "digest", "queued", "replay", "share", "step"]
