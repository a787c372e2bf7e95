"""What must be true before anything starts. Each problem is one line that names it and says what to do."""

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from ratchet.stack.paths import ROOT, Home
from ratchet.stack.ports import holder, is_taken
from ratchet.stack.services import Service

FREE_GB = 2.0
HERE: Final = "127.0.0.1"
"""Where the parts meet, whatever else they listen on."""
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104  # compared, not bound
_SOCKET_PATH_LIMIT = 95
"""Bytes: of the 103 that macOS takes, the supervisor adds a dot and its process id while it makes its own."""
_SETTING = {
    "airflow-api-server": "AIRFLOW_PORT",
    "inference-production": "PRODUCTION_PORT",
    "inference-candidate": "CANDIDATE_PORT",
}


def problems(home: Home, services: Sequence[Service], *, bind: str) -> list[str]:
    """Everything that stands in the way, all at once, so that a person mends it in one go."""
    return [
        *env_file(Path(".env")),
        *folder(home.folder),
        *_space(home.folder),
        *_socket_path(home),
        *_address(bind),
        *double_ports(services),
        *taken_ports(services, bind=bind),
    ]


def env_file(path: Path) -> list[str]:
    """Lines from which nothing is read: what they were to set would be its default without a word."""
    return [
        f"{path}, line {line.original.line} cannot be read: it is no NAME=value, or a quote in it is not closed"
        for line in _lines(path)
        if line.error
    ]


def env_values(path: Path) -> dict[str, str]:
    """What a `.env` sets, as it is written."""
    return {line.key: line.value or "" for line in _lines(path) if line.key and not line.error}


def _lines(path: Path) -> list[Binding]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return list(parse_stream(stream))


def folder(home: Path) -> list[str]:
    """A folder that holds what is not Ratchet's: `make clean` deletes all of it."""
    held = {"this checkout": ROOT, "your home": Path.home()}
    return [
        f"DATA_HOME={home} holds {what} too, and `make clean` deletes all of it: set a folder of its own in .env"
        for what, where in held.items()
        if where.resolve().is_relative_to(home)
    ]


def moved(home: Home, artifacts: str) -> list[str]:
    """A place of releases that is gone since the last start: MLflow knows each by where it was put, and would put new ones there too."""
    before = _folder(dotenv_values(home.environment).get("ARTIFACTS") or "")
    if before is None or before.exists() or not home.first_turn.exists():
        return []
    parent, now, there = (shlex.quote(str(path)) for path in (before.parent, _folder(artifacts) or "…", before))
    link = f"mkdir -p {parent} && ln -s {now} {there}"
    return [f"releases are registered at {before}, which is gone: put it back, or leave a link to them there: {link}"]


def _folder(address: str) -> Path | None:
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _space(folder: Path) -> list[str]:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free >= FREE_GB:
        return []
    return [
        f"no space: {free:.1f} GB free at {existing}, {FREE_GB:.0f} GB are needed; free some, or put DATA_HOME on another disk"
    ]


def _socket_path(home: Home) -> list[str]:
    length = len(os.fsencode(home.run / "supervisor.sock"))
    if length <= _SOCKET_PATH_LIMIT:
        return []
    return [f"the path of DATA_HOME is too long for a socket ({length} bytes): set DATA_HOME to a shorter one in .env"]


def _address(bind: str) -> list[str]:
    if bind in (HERE, EVERYWHERE):
        return []
    return [
        f"BIND={bind}: the parts meet at 127.0.0.1, so set that (this machine alone) or 0.0.0.0 (every address it has) in .env"
    ]


def double_ports(services: Sequence[Service]) -> list[str]:
    """Two services on one port."""
    seen: dict[int, str] = {}
    found = []
    for service in services:
        if service.port in seen:
            found.append(
                f"port {service.port} is set for both {seen[service.port]} and {service.name}: change one in .env"
            )
        elif service.port is not None:
            seen[service.port] = service.name
    return found


def taken_ports(services: Sequence[Service], *, bind: str) -> list[str]:
    """Ports that another process holds, and which."""
    return [
        f"port {service.port} ({service.name}) is taken by {holder(service.port)}: stop it, or set {setting(service)} in .env"
        for service in services
        if service.port is not None and is_taken(service.port, host=bind)
    ]


def setting(service: Service) -> str:
    """The name of the setting that holds a service's port."""
    return _SETTING.get(service.name, f"{service.name.upper().replace('-', '_')}_PORT")
