"""`ratchet guard`: between the hourly looks, guardrails every minute, and what waits for no evidence within seconds."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ratchet.contracts.errors import RatchetError
from ratchet.loop import Loop
from ratchet.settings import Settings

log = logging.getLogger("ratchet.guard")

TICK_SECONDS: Final = 5.0
"""How soon a warm-up that is done, or a promotion that every worker serves, is noticed."""
LOOK_SECONDS: Final = 60.0
STEADY: Final = ("canary", "ab", "awaiting_approval", "watch")
"""Stages in which only the guardrails can have something to say: once a minute is enough."""


@dataclass(slots=True)
class Rounds:
    """What the guard remembers of one workload between two rounds."""

    looked: float = float("-inf")
    problem: str = ""
    stage: str = field(default="")


def guard(settings: Settings, *, once: bool = False) -> int:
    """Watch every workload until told to stop. A neighbour that is away is one line in the log, not the end."""
    stop = threading.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: stop.set())
    loop, rounds = Loop(settings), {name.strip(): Rounds() for name in settings.workloads.split(",")}
    while not stop.is_set():
        for workload, kept in rounds.items():
            watch(
                workload,
                kept,
                stage=loop.stage,
                orders=loop.carry_out_orders,
                advance=loop.advance,
                clock=time.monotonic,
            )
        if once:
            return int(any(kept.problem for kept in rounds.values()))
        stop.wait(TICK_SECONDS)
    return 0


def watch(
    workload: str,
    kept: Rounds,
    *,
    stage: Callable[[str], str],
    orders: Callable[[str], list[str]],
    advance: Callable[..., dict[str, Any]],
    clock: Callable[[], float],
) -> None:
    """One round of one workload: people's orders; then a look, if its stage may move at any moment or the last was a minute ago."""
    unforeseen: Exception | None = None
    try:
        for outcome in orders(workload):
            log.info("%s: an order was taken up: %s", workload, outcome)
        kept.stage = stage(workload)
        if kept.stage in STEADY and clock() - kept.looked < LOOK_SECONDS:
            return  # what was wrong with the last look is not known to be well
        if kept.stage:
            kept.looked = clock()
            said = advance(workload, now=datetime.now(UTC))
            if "acted" in said:
                log.info("%s: %s", workload, said)
        problem = ""
    except (RatchetError, OSError) as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001, a record that nobody can read must not keep other workloads from their guard
        problem, unforeseen = f"{type(error).__name__}: {error}", error
    if problem != kept.problem:  # said once, not every five seconds
        log.warning("%s: %s", workload, problem or "all neighbours are back", exc_info=unforeseen)
        kept.problem = problem
