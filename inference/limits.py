"""Too much is refused with 429 before it costs anything; every counted answer says what is left.

`RateLimit-Limit`, `-Remaining` and `-Reset` as in draft-ietf-httpapi-ratelimit-headers up to its version 6, which clients know;
of the two counts, the key's and the address's, the one that is nearer to its end.
"""

from typing import Final

from flask import Flask, Response, g, request

from inference.problems import TOO_MANY, ProblemError
from inference.service import Service

ITEMS_PER_REQUEST: Final = 20
"""So many items of a batch count as one request."""


def register(app: Flask) -> None:
    """Say on every counted answer what is left."""

    @app.after_request
    def say(response: Response) -> Response:
        allowance = g.get("allowance")
        if allowance is not None:
            response.headers["RateLimit-Limit"] = allowance.limit
            response.headers["RateLimit-Remaining"] = allowance.remaining
            response.headers["RateLimit-Reset"] = allowance.reset_seconds
            if not allowance.allowed:
                response.headers["Retry-After"] = allowance.retry_seconds
        return response


def count_address(service: Service) -> None:
    """Count the request for the address it comes from: the router says which, and overwrites what others claim."""
    if service.limits is not None and service.limits.per_address:
        address = request.headers.get("X-Forwarded-For", request.remote_addr or "").rpartition(",")[2].strip()
        _take(service, f"address:{address}", service.limits.per_address)


def count_key(service: Service, key_id: str) -> None:
    """Count the request for its key."""
    if service.limits is not None and service.limits.per_key:
        _take(service, f"key:{key_id}", service.limits.per_key)


def count_items(service: Service, items: int) -> None:
    """Count a batch for what it is; the request itself stands for its first twenty items."""
    more = (items - 1) // ITEMS_PER_REQUEST
    for name, limit in g.get("counted", ()) if more else ():
        _take(service, name, limit, cost=more)


def _take(service: Service, name: str, limit: int, *, cost: int = 1) -> None:
    if service.limits is None:
        return
    allowance = service.limits.counts.take(name, limit, cost)
    nearest = g.get("allowance")
    if not allowance.allowed or nearest is None or allowance.remaining <= nearest.remaining:
        g.allowance = allowance
    if not allowance.allowed:
        what, _, _ = name.partition(":")
        raise ProblemError(TOO_MANY, f"The limit of this {what} is {limit} requests a minute.")
    if cost == 1:
        g.counted = (*g.get("counted", ()), (name, limit))
