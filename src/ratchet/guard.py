"""`ratchet guard`: between the hourly looks, guardrails every minute, and what waits for no evidence within seconds."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
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

METRICS: Final = "metrics"
"""Where the exporter looks for figures that others leave."""
SAID: Final = """\
# HELP ratchet_guard_timestamp_seconds When the guard last went round without trouble
# TYPE ratchet_guard_timestamp_seconds gauge
ratchet_guard_timestamp_seconds{workload="%s"} %s
"""


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
    _forget_others(settings.home, rounds)
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
            if not kept.problem:
                _leave_word(settings.home, workload)
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


def _leave_word(home: Path, workload: str) -> None:
    """Leave for the exporter when this round was: a guard that is gone, hangs or only finds trouble stops to say so."""
    path = home / METRICS / f"guard-{workload}.prom"
    draft = path.with_suffix(".draft")
    with suppress(OSError):  # a disk that is full says nothing either
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(SAID % (workload, time.time()))
        draft.replace(path)


def _forget_others(home: Path, watched: Collection[str]) -> None:
    for path in (home / METRICS).glob("guard-*.prom"):
        if path.stem.removeprefix("guard-") not in watched:
            path.unlink(missing_ok=True)
