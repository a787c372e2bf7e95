"""Prediction ids: nobody can guess or forge one, and each says when and by what it was answered without a database."""

import base64
import binascii
import hashlib
import hmac
import itertools
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Final

import numpy as np

from ratchet.contracts.ports import Track

TIME_BYTES: Final = 6  # milliseconds since 1970: good for 8,900 years
RANDOM_BYTES: Final = 9
PLACE_BYTES: Final = 2
"""Which one it is of those that were minted together: they share what was drawn."""
MAC_BYTES: Final = 16
MACS: Final = 4
"""As many come from one digest, which is most of what an id costs."""
FIRST: Final = bytes(PLACE_BYTES)
HEAD_BYTES: Final = TIME_BYTES + RANDOM_BYTES + PLACE_BYTES
LONGEST_KEY: Final = 64  # of a keyed BLAKE2b, which costs a third of an HMAC
TOKEN_LENGTH: Final = 44  # 33 bytes in base64, without padding
LONGEST_ID: Final = 120
RELEASE_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,60}")
LETTER_OF: Final = {Track.PRODUCTION: "p", Track.CANDIDATE: "c"}
_drawn: Final = itertools.count()
TRACK_OF: Final = {letter: track for track, letter in LETTER_OF.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """What a genuine prediction id says: when it was made, and which track and release answered."""

    at: datetime
    track: Track
    release: str


def mint(secret: bytes, now: datetime, *, workload: str, track: Track, release: str) -> str:
    """Make a new id: URL-safe, 72 + 128 bits nobody can guess, signed together with the workload, track and release."""
    suffix = _suffix(track, release)
    head = int(now.timestamp() * 1000).to_bytes(TIME_BYTES, "big") + _draw() + FIRST
    token = base64.urlsafe_b64encode(head + _digest(secret, head, workload, suffix)[:MAC_BYTES]).decode()
    return f"{token}.{suffix}"


def mint_many(secret: bytes, now: datetime, count: int, *, workload: str, track: Track, release: str) -> list[bytes]:
    """Make so many ids at once: each as good as one of `mint`, and valid without the others."""
    if count > 1 << 8 * PLACE_BYTES:
        raise ValueError(f"{count} ids are more than can be told apart")
    if not count:
        return []
    suffix = _suffix(track, release)
    begin = int(now.timestamp() * 1000).to_bytes(TIME_BYTES, "big") + _draw()
    keyed, digests = _keyed(secret, MACS * MAC_BYTES).copy(), []
    keyed.update(begin)
    for end in _ends(count, _name(workload, suffix)):
        one = keyed.copy()
        one.update(end)
        digests.append(one.digest())
    raw = np.empty((count, HEAD_BYTES + MAC_BYTES), np.uint8)
    raw[:, : len(begin)] = np.frombuffer(begin, np.uint8)
    raw[:, len(begin) : HEAD_BYTES] = np.arange(count, dtype=">u2").view(np.uint8).reshape(count, PLACE_BYTES)
    raw[:, HEAD_BYTES:] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, MAC_BYTES)[:count]
    tokens, rest = base64.urlsafe_b64encode(raw.tobytes()), f".{suffix}\n".encode()
    lines = np.empty((count, TOKEN_LENGTH + len(rest)), np.uint8)
    lines[:, :TOKEN_LENGTH] = np.frombuffer(tokens, np.uint8).reshape(count, TOKEN_LENGTH)  # 33 bytes, without a rest
    lines[:, TOKEN_LENGTH:] = np.frombuffer(rest, np.uint8)
    return lines.tobytes().splitlines()


def verify(secret: bytes, prediction_id: str, *, workload: str) -> Minted | None:
    """Read an id that was minted with this secret for this workload; None for every other string."""
    token, _, suffix = prediction_id.partition(".")
    letter, _, release = suffix.partition(".")
    raw = _decode(token) if len(prediction_id) <= LONGEST_ID else None
    if raw is None:
        return None
    head, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if not any(hmac.compare_digest(mac, sign(secret, head, workload, suffix)) for sign in (_sign, _sign_alone)):
        return None
    at = datetime.fromtimestamp(int.from_bytes(head[:TIME_BYTES], "big") / 1000, UTC)
    return Minted(at=at, track=TRACK_OF[letter], release=release)


@lru_cache(maxsize=64)
def _suffix(track: Track, release: str) -> str:
    if not RELEASE_NAME.fullmatch(release):
        raise ValueError(f"{release!r} cannot be a release's name in a prediction id")
    return f"{LETTER_OF[track]}.{release}"


def _draw() -> bytes:
    """Bytes that never come twice and that nobody outside this process can foretell.

    Asking the system each time lets go of the interpreter's lock, and a busy worker waits to get it back.
    """
    seeded = _seed(os.getpid()).copy()
    seeded.update(next(_drawn).to_bytes(8, "big"))
    return seeded.digest()


@cache
def _seed(_process: int) -> hashlib.blake2b:
    """Return what is drawn from: a forked worker has another process id, and so a seed of its own."""
    return hashlib.blake2b(key=os.urandom(LONGEST_KEY), digest_size=RANDOM_BYTES)


def _decode(token: str) -> bytes | None:
    if len(token) != TOKEN_LENGTH:
        return None
    try:
        raw = base64.urlsafe_b64decode(token)
    except (ValueError, binascii.Error):
        return None
    # The decoder overlooks stray characters; only the one spelling that was minted counts.
    return raw if base64.urlsafe_b64encode(raw).decode() == token else None


def _sign(secret: bytes, head: bytes, workload: str, suffix: str) -> bytes:
    """Return this id's part of what it and its neighbours are signed with."""
    place = int.from_bytes(head[-PLACE_BYTES:], "big")
    shared = head[:-PLACE_BYTES] + (place // MACS).to_bytes(PLACE_BYTES, "big")
    at = MAC_BYTES * (place % MACS)
    return _digest(secret, shared, workload, suffix)[at : at + MAC_BYTES]


def _digest(secret: bytes, head: bytes, workload: str, suffix: str) -> bytes:
    keyed = _keyed(secret, MACS * MAC_BYTES).copy()  # costs two thirds of another one
    keyed.update(head + _name(workload, suffix))
    return keyed.digest()


@lru_cache(maxsize=16)
def _ends(count: int, name: bytes) -> tuple[bytes, ...]:
    """Return what is signed after the beginning that many ids share, for every four of them."""
    return tuple(place.to_bytes(PLACE_BYTES, "big") + name for place in range(-(-count // MACS)))


def _sign_alone(secret: bytes, head: bytes, workload: str, suffix: str) -> bytes:
    """Sign as ids were when each had a digest of its own: what somebody holds stays good."""
    keyed = _keyed(secret, MAC_BYTES).copy()
    keyed.update(head + _name(workload, suffix))
    return keyed.digest()


@lru_cache(maxsize=4)
def _keyed(secret: bytes, size: int) -> hashlib.blake2b:
    return hashlib.blake2b(key=secret[:LONGEST_KEY], digest_size=size)


@lru_cache(maxsize=64)
def _name(workload: str, suffix: str) -> bytes:
    return f"{workload}\x1f{suffix}".encode()
