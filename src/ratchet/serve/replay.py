"""Tickets for replayed requests: the loop warms a track up with them, and nobody who lacks the secret can make one."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

HEADER: Final = "X-Replay"
VALID: Final = timedelta(seconds=60)


def issue_ticket(secret: bytes, *, now: datetime) -> str:
    """A ticket for the next minute."""
    at = str(int(now.timestamp()))
    return f"{at}.{_sign(secret, at)}"


def is_genuine_ticket(secret: bytes, ticket: str, *, now: datetime) -> bool:
    """Whether it was issued with this secret, within a minute of now."""
    at, _, signature = ticket.partition(".")
    if not at.isdecimal() or len(at) > 12 or not signature.isascii():
        return False
    if not hmac.compare_digest(signature, _sign(secret, at)):
        return False
    return abs(now.timestamp() - int(at)) <= VALID.total_seconds()


def _sign(secret: bytes, at: str) -> str:
    return hashlib.blake2b(f"replay:{at}".encode(), key=secret[:64], digest_size=16).hexdigest()
