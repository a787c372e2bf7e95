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

from ratchet.contracts.ports import Track

TIME_BYTES: Final = 6  # milliseconds since 1970: good for 8,900 years
RANDOM_BYTES: Final = 11
MAC_BYTES: Final = 16
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
    """Make a new id: URL-safe, 64 + 88 bits nobody can guess, signed together with the workload, track and release."""
    suffix = _suffix(track, release)
    milliseconds = int(now.timestamp() * 1000)
    head = milliseconds.to_bytes(TIME_BYTES, "big") + _draw()
    token = base64.urlsafe_b64encode(head + _sign(secret, head, workload, suffix)).decode()
    return f"{token}.{suffix}"


def mint_many(secret: bytes, now: datetime, count: int, *, workload: str, track: Track, release: str) -> list[bytes]:
    """Make so many ids at once, each as `mint` makes it, with one question to the system and one encoding."""
    suffix = _suffix(track, release)
    milliseconds = int(now.timestamp() * 1000).to_bytes(TIME_BYTES, "big")
    drawn, signer, name = os.urandom(RANDOM_BYTES * count), _keyed(secret), _name(workload, suffix)
    raw: list[bytes] = []
    for at in range(0, len(drawn), RANDOM_BYTES):
        head, keyed = milliseconds + drawn[at : at + RANDOM_BYTES], signer.copy()
        keyed.update(head + name)
        raw += (head, keyed.digest())
    tokens, end = base64.urlsafe_b64encode(b"".join(raw)), b"." + suffix.encode()
    # 33 bytes are 44 letters each, without a rest
    return [tokens[at : at + TOKEN_LENGTH] + end for at in range(0, len(tokens), TOKEN_LENGTH)]


def verify(secret: bytes, prediction_id: str, *, workload: str) -> Minted | None:
    """Read an id that was minted with this secret for this workload; None for every other string."""
    token, _, suffix = prediction_id.partition(".")
    letter, _, release = suffix.partition(".")
    raw = _decode(token) if len(prediction_id) <= LONGEST_ID else None
    if raw is None:
        return None
    head, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if not hmac.compare_digest(mac, _sign(secret, head, workload, suffix)):
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
    keyed = _keyed(secret).copy()  # costs two thirds of another one
    keyed.update(head + _name(workload, suffix))
    return keyed.digest()


@lru_cache(maxsize=4)
def _keyed(secret: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(key=secret[:LONGEST_KEY], digest_size=MAC_BYTES)


@lru_cache(maxsize=64)
def _name(workload: str, suffix: str) -> bytes:
    return f"{workload}\x1f{suffix}".encode()
