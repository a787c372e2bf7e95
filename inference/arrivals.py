"""What connections have said so far. A large body comes in parts, and many a client sends even a small one after its head.

Whoever has begun to say something waits here, where waiting costs nothing; a thread is only for what has to be worked on.
"""

import re
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

PIECE: Final = 16_384
"""Bytes read at once: a plain question has some hundreds."""
MOST: Final = 1 << 18
"""A batch of a thousand plain items has 60 KB; what is longer is gunicorn's to read."""
_OURS: Final = (b" HTTP/1.1", b" HTTP/1.0")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]{1,6})(?=\r\n)", re.IGNORECASE)
_OTHER_WAYS: Final = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)


class Arrivals:
    """Parts of requests by connection; those of a connection that is gone go with it."""

    def __init__(self) -> None:
        self._begun: WeakKeyDictionary[TConn, bytes] = WeakKeyDictionary()

    def take(self, conn: TConn) -> tuple[bytes, bool]:
        """Return what a connection has said since it was last answered, and whether any of that is new: if not, it has ended or failed."""
        try:
            new = _receive(conn)
        except OSError:  # gunicorn meets it again, and knows what to do
            new = b""
        return (self._begun.pop(conn, b"") + new if self._begun else new), bool(new)

    def wait(self, conn: TConn, said: bytes) -> bool:
        """Keep what may be a plain request one day; False if this is none that has begun."""
        begun = is_begun(said)
        if begun:
            self._begun[conn] = said
        return begun


def is_begun(said: bytes) -> bool:
    """Whether more has to come: of a head that may be one, or of a body whose length a whole head says."""
    head, end, body = said.partition(b"\r\n\r\n")
    if not end:
        first, is_whole, _ = head.partition(b"\r\n")
        return 0 < len(head) <= PIECE and (not is_whole or first.endswith(_OURS))
    lengths = _LENGTH.findall(head + b"\r\n") if said.startswith(b"POST ") else ()
    return len(lengths) == 1 and len(body) < int(lengths[0]) <= MOST and not _OTHER_WAYS.search(head)


def _receive(conn: TConn) -> bytes:
    """Return what has come, or the beginning of much, without waiting for more."""
    said: bytes = conn.sock.recv(PIECE)
    if len(said) < PIECE:
        return said
    pieces = [said]
    with suppress(BlockingIOError):
        while said and len(pieces) * PIECE < MOST:
            said = conn.sock.recv(PIECE)
            pieces.append(said)
    return b"".join(pieces)
