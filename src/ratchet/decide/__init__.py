"""decide: evidence and policy in, a verdict with its reason out. Arithmetic only: no clock, network or log."""

from ratchet.decide.composite import decide

__all__ = ["decide"]
