"""API keys: made, listed and revoked in the database; checked in serving without it."""

import hashlib
import hmac
import logging
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg2

from ratchet.contracts.errors import NotReadyError, RatchetError
from ratchet.database import clear_errors, connect, outline
from ratchet.serve.cache import write_whole

logger = logging.getLogger(__name__)

WHAT: Final = "the database of API keys"
PREFIX: Final = "rk"
LONGEST_NAME: Final = 200
SCOPES: Final = frozenset({"predict", "operate"})
LIMITS: Final[dict[str, Any]] = {"connect_seconds": 3, "statement_seconds": 3}
"""A server that is locked or has gone silent is away: who waits for it learns of no other key, and of none that has ended."""

INSERT: Final = "INSERT INTO api_keys (key_id, name, scopes, digest) VALUES (%s, %s, %s, %s)"
REVOKE: Final = "UPDATE api_keys SET revoked_at = now() WHERE key_id = %s AND revoked_at IS NULL"
LIST: Final = "SELECT key_id, name, scopes, created_at, revoked_at FROM api_keys ORDER BY created_at, key_id"
ACTIVE: Final = "SELECT key_id, name, scopes, digest FROM api_keys WHERE revoked_at IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who a key belongs to and what it may do."""

    key_id: str
    name: str
    scopes: frozenset[str]
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key as an operator sees it; the key itself is kept nowhere."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def add_key(database_url: str, name: str, scopes: Sequence[str]) -> str:
    """Make a key and return it: the only time that anyone sees it."""
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise RatchetError(
            f"a key needs a name of up to {LONGEST_NAME} printable characters: who holds it, for whoever has to revoke it one day"
        )
    if not scopes or not SCOPES.issuperset(scopes):
        raise RatchetError(f"a key's scopes are one or both of {', '.join(sorted(SCOPES))}, not {', '.join(scopes)}")
    key_id = secrets.token_hex(6)
    key = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    with clear_errors(WHAT):
        _change(database_url, INSERT, (key_id, name, sorted(set(scopes)), _digest(key)))
    return key


def id_of(said: str) -> str:
    """Return the id that a key has in it; what is no key is taken for an id."""
    prefix, _, rest = said.strip().partition("_")
    return rest.partition("_")[0] if prefix == PREFIX else said.strip()


def revoke_key(database_url: str, key_id: str) -> bool:
    """End a key; False if there is no such key or it has ended before."""
    with clear_errors(WHAT):
        return _change(database_url, REVOKE, (key_id,)) == 1


def list_keys(database_url: str) -> tuple[KeyRow, ...]:
    """Every key there ever was, oldest first."""
    with clear_errors(WHAT):
        rows = _fetch(database_url, LIST)
    return tuple(
        KeyRow(key_id=key_id, name=name, scopes=tuple(scopes), created_at=created_at, revoked_at=revoked_at)
        for key_id, name, scopes, created_at, revoked_at in rows
    )


class KeyStore:
    """The keys that are valid now, refreshed from the database and kept in a file for a start without it."""

    def __init__(self, database_url: str, *, cache_file: Path) -> None:
        self._database_url = database_url
        self._cache_file = cache_file
        self._holders: Mapping[str, Holder] | None = self._read_cache()
        self._written = True
        self._database_away = False
        self._disk_refuses = False

    def holder(self, key: str) -> Holder | None:
        """Who a key belongs to; None if nobody; `NotReadyError` while no list of keys was ever seen."""
        holders = self._holders
        if holders is None:
            raise NotReadyError("the list of API keys has not been loaded yet")
        prefix, _, rest = key.partition("_")
        holder = holders.get(rest.partition("_")[0])
        # The digest is compared in constant time; the id that finds it is no secret.
        if prefix != PREFIX or holder is None or not hmac.compare_digest(holder.digest, _digest(key)):
            return None
        return holder

    def run(self, stop: threading.Event, *, poll_seconds: float) -> None:
        """Refresh until told to stop; nothing that happens inside ends the thread."""
        while not stop.is_set():
            try:
                self.refresh()
            except Exception:
                logger.exception("refreshing the API keys failed; the ones that are known stay valid")
            stop.wait(poll_seconds)

    def refresh(self) -> None:
        """Take over what the database says now; while it is away the known keys stay valid."""
        try:
            rows = _fetch(self._database_url, ACTIVE)
        except psycopg2.Error as error:
            self._note_database(error)
            return
        self._note_database(None)
        holders = {row[0]: _holder(row[0], row[1], row[2], bytes(row[3])) for row in rows}
        if holders != self._holders:
            self._holders, self._written = holders, False
        if not self._written:  # also if only the last attempt failed: a start must not know a key that has ended
            self._keep(holders)

    def _note_database(self, error: psycopg2.Error | None) -> None:
        if (error is not None) != self._database_away:
            self._database_away = error is not None
            logger.warning("%s %s", WHAT, f"is away: {outline(error)}" if error else "is back")

    def _keep(self, holders: Mapping[str, Holder]) -> None:
        try:
            self._write_cache(holders)
        except OSError as error:
            if not self._disk_refuses:
                logger.error("the API keys are valid as they are now, but cannot be kept for the next start: %s", error)  # noqa: TRY400
            self._disk_refuses = True
        else:
            self._written, self._disk_refuses = True, False

    def _read_cache(self) -> dict[str, Holder] | None:
        try:
            rows = orjson.loads(self._cache_file.read_bytes())
            return {
                row["key_id"]: _holder(row["key_id"], row["name"], row["scopes"], bytes.fromhex(row["digest"]))
                for row in rows
            }
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write_cache(self, holders: Mapping[str, Holder]) -> None:
        rows = [
            {
                "key_id": holder.key_id,
                "name": holder.name,
                "scopes": sorted(holder.scopes),
                "digest": holder.digest.hex(),
            }
            for holder in holders.values()
        ]
        write_whole(self._cache_file, orjson.dumps(rows))


def _holder(key_id: str, name: str, scopes: Sequence[str], digest: bytes) -> Holder:
    return Holder(key_id=key_id, name=name, scopes=frozenset(scopes), digest=digest)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _change(database_url: str, statement: str, values: tuple[Any, ...]) -> int:
    connection = connect(database_url, **LIMITS)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.rowcount)
    finally:
        connection.close()


def _fetch(database_url: str, query: str) -> list[tuple[Any, ...]]:
    connection = connect(database_url, **LIMITS)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows
    finally:
        connection.close()
