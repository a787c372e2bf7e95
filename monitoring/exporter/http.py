"""A neighbour's answer over HTTP, bounded in time and size."""

from collections.abc import Mapping
from urllib import request

SECONDS = 3.0
MAX_BYTES = 4 << 20


def get(address: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the body of a success; anything else is an exception."""
    call = request.Request(address, headers=dict(headers or {}))  # noqa: S310  # addresses come from our settings
    with request.urlopen(call, timeout=SECONDS) as answer:  # noqa: S310
        body: bytes = answer.read(MAX_BYTES)
        return body
