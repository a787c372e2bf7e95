"""The application that gunicorn serves: the only place where serving meets its settings, its clock and its neighbours."""

import atexit
import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest

from inference import Service, counts, create_app, logs
from ratchet.contracts.errors import RatchetError
from ratchet.contracts.ports import Track
from ratchet.observe.gold_tables import GoldTables
from ratchet.observe.orders import Orders
from ratchet.observe.reports import PostgresReports
from ratchet.register.live import MlflowLive
from ratchet.serve.answer import Answerer
from ratchet.serve.cache import ReleaseCache
from ratchet.serve.drift_score import DriftScores
from ratchet.serve.forward import Forwarder
from ratchet.serve.keys import KeyStore
from ratchet.serve.limits import Limits, RateLimits
from ratchet.serve.metrics import ServeMetrics, StateCollector
from ratchet.serve.notified import Notified
from ratchet.serve.spool import Spool
from ratchet.serve.swap import Refresher, ReleaseSlot
from ratchet.settings import Settings

logger = logging.getLogger(__name__)

FAREWELL_SECONDS: Final = 3.0


def now() -> datetime:
    """Return the time as serving knows it."""
    return datetime.now(UTC)


def build(settings: Settings) -> Flask:
    """Make the application and start its three background threads; needs neither the database nor the registry."""
    secret = settings.prediction_secret.get_secret_value().encode()
    if not secret:
        raise RatchetError("PREDICTION_SECRET is not set: prediction ids could be forged. `make env` makes one")
    track = Track(settings.track)
    registry = CollectorRegistry()
    metrics = ServeMetrics(registry, track=track)
    slots = [ReleaseSlot(name.strip(), track) for name in settings.workloads.split(",")]
    answerer = Answerer(slots)
    spool = _open_spool(settings, metrics)
    keys = KeyStore(settings.database, cache_file=settings.home / "cache" / "keys.json")
    refresher = Refresher(
        slots,
        live=MlflowLive(settings.tracking_uri),
        cache=ReleaseCache(settings.home / "cache"),
        on_load=metrics.loaded,
        on_refuse=metrics.refused,
        on_empty=metrics.emptied,
    )
    refresher.restore()
    forwarder = Forwarder(spool.folder, settings.database, on_rejected=metrics.rejected)
    stop = threading.Event()
    _start("releases", lambda: refresher.run(stop, poll_seconds=settings.poll_seconds))
    _start("keys", lambda: keys.run(stop, poll_seconds=settings.poll_seconds))
    _say_farewell(stop, _start("forecast log", lambda: forwarder.run(stop, spool)))
    state = CollectorRegistry()
    state.register(StateCollector(answerer=answerer, spool=spool, track=track, clock=now))
    state.register(Notified(home=settings.loop))
    state.register(DriftScores(home=settings.loop, workloads=tuple(slot.workload for slot in slots)))
    return create_app(
        Service(
            answerer=answerer,
            log=spool,
            keys=keys,
            metrics=metrics,
            exposition=_exposition(registry, state),
            track=track,
            secret=secret,
            clock=now,
            reports=PostgresReports(settings.database),
            limits=_open_limits(settings),
            gold=GoldTables(settings.loop),
            orders=Orders(settings.database),
        )
    )


def _open_spool(settings: Settings, metrics: ServeMetrics) -> Spool:
    return Spool(
        settings.home / "spool" / settings.track,
        max_bytes=settings.log_spool_max_mb << 20,
        fsync=settings.log_fsync,
        on_lost=metrics.lost,
    )


def _open_limits(settings: Settings) -> Limits | None:
    """Share one count with every worker and track of this machine; where that is not possible, serve without."""
    try:
        counts = RateLimits(settings.home / "run" / "rate-limits.bin")
    except OSError as error:
        logger.warning("there are no rate limits: %s", error)
        return None
    return Limits(counts=counts, per_key=settings.rate_limit_per_key, per_address=settings.rate_limit_per_address)


def _start(name: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _say_farewell(stop: threading.Event, forwarding: threading.Thread) -> None:
    """Ship what is in the spool when the worker ends in peace; what stays is shipped by whoever comes next."""

    def end() -> None:
        stop.set()
        forwarding.join(FAREWELL_SECONDS)

    atexit.register(end)


def _exposition(registry: CollectorRegistry, state: CollectorRegistry) -> Callable[[], bytes]:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        return lambda: counts.render(Path(folder), state)
    registry.register(state)
    return lambda: generate_latest(registry)


def application() -> Flask:
    """Make what a worker serves; the module itself has been imported by the master, so that a worker is back in no time."""
    logs.configure()
    return build(Settings.load())
