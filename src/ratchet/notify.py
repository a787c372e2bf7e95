"""Telling people of a verdict: Slack, e-mail, webhooks, whatever `apprise` speaks. A notifier that fails never fails a verdict.

A message is put into an outbox on disk first and taken out when its receiver has it; what could not be delivered is tried again whenever
something is announced, for a day. One round of all of it takes `ROUND_SECONDS` at most.
"""

import fcntl
import hashlib
import json
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ratchet.contracts.policy import Decision, Verdict
from ratchet.serve.cache import write_whole
from ratchet.serve.notified import COUNTS, FAILED, SENT
from ratchet.settings import Settings

log = logging.getLogger("ratchet.notify")

QUIET: Final = frozenset({Verdict.HOLD, Verdict.EXTEND})
"""Nothing has happened: nobody is told."""
ROUND_SECONDS: Final = 20.0
TRY_SECONDS: Final = 6.0
TRIES: Final = 2
PAUSE_SECONDS: Final = 1.0
KEPT: Final = timedelta(hours=24)
FIGURES: Final = 6
TOLD: Final = "told.json"
REMEMBERED: Final = 500
TRAFFIC: Final = ("requests", "raters", "ratings", "clients")


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One verdict to tell. `key` names it within its workload: nobody is told of it twice."""

    key: int
    experiment_id: int
    decision: Decision


def announce(
    settings: Settings, workload: str, news: Sequence[News], *, dag_id: str, now: datetime | None = None
) -> int:
    """Tell everybody in NOTIFY_URLS of each verdict but hold and extend; how many messages were delivered. Never raises."""
    urls = settings.notify_urls.get_secret_value().split()
    worth_telling = [one for one in news if one.decision.verdict not in QUIET]
    if not urls:
        return 0
    try:
        outbox, link = settings.home / "notify", f"{_public_address(settings)}/dags/{dag_id}"
        with _alone(outbox):
            fresh = _not_told(outbox, workload, worth_telling)
            for one in fresh:
                _put(outbox, workload, one, urls, link=link, now=now or datetime.now(UTC))
            _note_told(outbox, workload, fresh)
            return _deliver(outbox, {_name(url): url for url in urls}, now=now or datetime.now(UTC))
    except Exception:
        log.exception("notifying failed; the verdict stands")
        return 0


def describe(workload: str, row: News) -> tuple[str, str]:
    """A title, and the evidence in three lines: why, on how much traffic, by which figures."""
    title = f"{workload}: {row.decision.verdict.value} in experiment {row.experiment_id}"
    scores = row.decision.scores
    traffic = {name: value for name, value in scores.items() if name.startswith(TRAFFIC)}
    figures = {name: value for name, value in scores.items() if name not in traffic}
    return title, "\n".join((row.decision.reason, _figures(traffic, "traffic"), _figures(figures, "figures")))


def _figures(named: dict[str, float], what: str) -> str:
    told = [f"{name.replace('_', ' ')} {value:,.4g}" for name, value in list(named.items())[:FIGURES]]
    return f"{what}: {', '.join(told)}" if told else f"{what}: none measured"


def _public_address(settings: Settings) -> str:
    return settings.public_url.rstrip("/") or f"http://127.0.0.1:{settings.airflow_port}"


def _not_told(outbox: Path, workload: str, news: Sequence[News]) -> list[News]:
    """Those that are new. Acting may be repeated, telling is not."""
    known = _told(outbox)
    return [one for one in news if f"{workload}-{one.key}" not in known]


def _note_told(outbox: Path, workload: str, news: Sequence[News]) -> None:
    if news:
        told = [*_told(outbox), *(f"{workload}-{one.key}" for one in news)]
        write_whole(outbox / TOLD, json.dumps(told[-REMEMBERED:]).encode())


def _told(outbox: Path) -> list[str]:
    try:
        return [str(key) for key in json.loads((outbox / TOLD).read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def _put(outbox: Path, workload: str, row: News, urls: list[str], *, link: str, now: datetime) -> None:
    title, body = describe(workload, row)
    message = {
        "title": title,
        "body": f"{body}\n{link}",
        "bad": row.decision.verdict is not Verdict.PROMOTE,
        "at": now.isoformat(),
        "to": [_name(url) for url in urls],
    }
    write_whole(outbox / f"{workload}-{row.key}.json", json.dumps(message).encode())


def _deliver(outbox: Path, urls: dict[str, str], *, now: datetime) -> int:
    """Every message in the outbox to everybody who lacks it, oldest first, until the round is over.

    Who could not be told once is not tried again in this round: one that hangs would use up everybody's time.
    """
    deadline, sent = time.monotonic() + ROUND_SECONDS, 0
    away: set[str] = set()
    waiting = sorted(outbox.glob("*-*.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in waiting:
        message = _read(path)
        if message is None:
            continue
        left = [name for name in message["to"] if name in urls]
        told = [name for name in left if name not in away and _tell(urls[name], message, deadline=deadline)]
        sent += len(told)
        lacking = [name for name in left if name not in told]
        away.update(lacking)
        if lacking and now - datetime.fromisoformat(message["at"]) < KEPT:
            write_whole(path, json.dumps({**message, "to": lacking}).encode())
        else:
            path.unlink()
        # Whoever is no longer in NOTIFY_URLS will never be told.
        _count(outbox, sent=len(told), failed=len(lacking) + len(message["to"]) - len(left))
    return sent


def _read(path: Path) -> dict[str, Any] | None:
    """A message; one that is damaged is thrown away, so that it does not stand in the way of the others."""
    try:
        message: dict[str, Any] = json.loads(path.read_bytes())
        datetime.fromisoformat(message["at"])
        if {"title", "body", "bad", "to"} <= message.keys():
            return message
    except (ValueError, KeyError, TypeError):
        pass
    log.warning("notifying: %s is damaged and will not be sent", path.name)
    path.unlink(missing_ok=True)
    return None


def _tell(url: str, message: dict[str, Any], *, deadline: float) -> bool:
    apprise = _load()
    service, kind = apprise.Apprise(), apprise.NotifyType.WARNING if message["bad"] else apprise.NotifyType.SUCCESS
    if not service.add(url):
        log.warning("notifying %s: NOTIFY_URLS holds an address that apprise does not know", _name(url))
        return False
    for number in range(TRIES):
        left = min(TRY_SECONDS, deadline - time.monotonic())
        if left <= 0:
            log.warning("notifying %s: no time is left in this round", _name(url))
            return False
        if service.notify(title=message["title"], body=message["body"], notify_type=kind, timeout=left):
            log.info("notified %s: %s", _name(url), message["title"])
            return True
        log.warning("notifying %s failed (try %d of %d)", _name(url), number + 1, TRIES)
        time.sleep(min(PAUSE_SECONDS, max(0.0, deadline - time.monotonic())))
    return False


@cache
def _load() -> ModuleType:
    """The library with all its services, and silent: its log would hold addresses, and those hold passwords."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a module that it looks for on old Pythons
        import apprise  # noqa: PLC0415  # half a second, for those who want to be told

        apprise.Apprise.instantiate("json://localhost", suppress_exceptions=True)
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise


def _name(url: str) -> str:
    scheme = url.partition(":")[0]
    return f"{scheme[:20] if scheme.isalnum() else '?'}-{hashlib.blake2b(url.encode(), digest_size=4).hexdigest()}"


def _count(outbox: Path, *, sent: int, failed: int) -> None:
    path = outbox / COUNTS
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        known = {}
    counts = {SENT: int(known.get(SENT, 0)) + sent, FAILED: int(known.get(FAILED, 0)) + failed}
    write_whole(path, json.dumps(counts).encode())


@contextmanager
def _alone(outbox: Path) -> Iterator[None]:
    """One sender at a time: nobody is told twice."""
    outbox.mkdir(parents=True, exist_ok=True)
    with (outbox / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
