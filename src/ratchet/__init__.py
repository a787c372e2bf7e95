"""Ratchet, in loop order: ingest, train, register, serve, observe, decide; `loop` wires them, `stack` runs them on one machine."""
