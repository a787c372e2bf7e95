"""A request that is whole, alone and beyond doubt, read and answered without gunicorn: what is not plain is nobody's here to interpret.

`tests/unit/inference/test_worker.py` holds this to what gunicorn reads of the same bytes.
"""

import re
import socket
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from gunicorn import SERVER  # type: ignore[import-untyped]

REST_SECONDS: Final = 30.0
MOST_FIELDS: Final = 64
LONGEST_FIELD: Final = 8188
"""Bytes of a line: with its end, as many as gunicorn takes. What is in one is remembered by thousands."""
MOST_DIGITS: Final = 6
"""Of a length: Python refuses to read a number of thousands of them, and nobody here would catch that."""
# No folded lines, no control characters, no space before a colon, no underscore in a name: who sends these meets gunicorn.
_HEAD: Final = re.compile(rb"POST (/[\w/-]+) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[^\x00-\x1f\x7f]*\r\n)+)")
_FRAMING: Final = ("TRANSFER_ENCODING", "CONNECTION", "EXPECT", "UPGRADE", "TRAILER", "TE", "CONTENT_ENCODING")
_OF_PROXIES: Final = ("X_FORWARDED_PROTOCOL", "X_FORWARDED_SSL")
_NOT_PLAIN: Final = frozenset(f"HTTP_{name}" for name in (*_FRAMING, *_OF_PROXIES))

Question = tuple[dict[str, str], bytes]


def read_plain(said: bytes) -> Question | None:
    """Return the variables and the body of a request that is whole, alone and beyond doubt; None for every other."""
    head, end, body = said.partition(b"\r\n\r\n")
    found = _HEAD.fullmatch(head + b"\r\n") if end else None
    if found is None:
        return None
    lines = found[2].decode("latin-1").split("\r\n")[:-1]
    environ = {}
    for line in lines:
        name, _, value = line.partition(":")
        environ[_variable(name)] = value.strip(" ")
    if len(environ) != len(lines) or len(lines) > MOST_FIELDS or not _NOT_PLAIN.isdisjoint(environ):
        return None
    if max(map(len, lines)) > LONGEST_FIELD:
        return None
    length = environ.pop("HTTP_CONTENT_LENGTH", "")
    if "HTTP_HOST" not in environ or not length.isdecimal() or len(length) > MOST_DIGITS or int(length) != len(body):
        return None
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": found[1].decode("ascii"), "CONTENT_LENGTH": length}
    if "HTTP_CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    return environ, body


def write_plain(content: bytes, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a whole answer, as gunicorn would begin it."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return b"".join([_begin(int(time.time())), lines.encode("latin-1"), b"\r\n", content])


def send_rest(client: socket.socket, rest: bytes) -> bool:
    """Send what did not fit into the client's window, and wait for it to be read."""
    client.settimeout(REST_SECONDS)
    client.sendall(rest)
    return True


@lru_cache(maxsize=1)
def _begin(second: int) -> bytes:
    date = formatdate(second, usegmt=True)
    return f"HTTP/1.1 200 OK\r\nServer: {SERVER}\r\nDate: {date}\r\nConnection: keep-alive\r\n".encode()


@lru_cache(maxsize=256)
def _variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")
