"""Too much is refused with 429 before it costs anything; every counted answer says what is left.

`RateLimit-Limit`, `-Remaining` and `-Reset` as in draft-ietf-httpapi-ratelimit-headers up to its version 6, which clients know;
of the two counts, the key's and the address's, the one that is nearer to its end.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from flask import Flask, Response, g, request

from inference.problems import TOO_MANY, ProblemError
from inference.service import Service
from ratchet.serve.limits import Allowance, Limits

ITEMS_PER_REQUEST: Final = 20
"""So many items of a batch count as one request."""


def register(app: Flask) -> None:
    """Say on every counted answer what is left."""

    @app.after_request
    def say(response: Response) -> Response:
        allowance = g.get("allowance")
        if allowance is not None:
            response.headers.extend(tell(allowance))
        return response


def tell(allowance: Allowance) -> list[tuple[str, str]]:
    """Return what is left as headers."""
    left = [
        ("RateLimit-Limit", str(allowance.limit)),
        ("RateLimit-Remaining", str(allowance.remaining)),
        ("RateLimit-Reset", str(allowance.reset_seconds)),
    ]
    return left if allowance.allowed else [*left, ("Retry-After", str(allowance.retry_seconds))]


def count_address(service: Service) -> None:
    """Count the request for the address it comes from: the router says which, and overwrites what others claim."""
    if service.limits is not None and service.limits.per_address:
        _take(service, _address(request.environ), service.limits.per_address)


def count_key(service: Service, key_id: str) -> None:
    """Count the request for its key."""
    if service.limits is not None and service.limits.per_key:
        _take(service, f"key:{key_id}", service.limits.per_key)


def take_both(limits: Limits, environ: Mapping[str, Any], key_id: str, cost: int = 1) -> Allowance | None:
    """Count a request for its address and its key at once, or for neither; None where there is no limit."""
    wanted = [(_address(environ), limits.per_address), (f"key:{key_id}", limits.per_key)]
    wanted = [(name, limit) for name, limit in wanted if limit]
    return limits.counts.take_all(wanted, cost) if wanted else None


def may_ask(limits: Limits | None, environ: Mapping[str, Any], key_id: str) -> bool:
    """Whether another request would be let through; none is counted."""
    allowance = take_both(limits, environ, key_id, cost=0) if limits else None
    return allowance is None or allowance.remaining > 0


def cost_of(items: int) -> int:
    """As how many requests a batch counts."""
    return 1 + (items - 1) // ITEMS_PER_REQUEST


def _address(environ: Mapping[str, Any]) -> str:
    address: str = environ.get("HTTP_X_FORWARDED_FOR", environ.get("REMOTE_ADDR", ""))
    return f"address:{address.rpartition(',')[2].strip()}"


def count_items(service: Service, items: int) -> None:
    """Count a batch for what it is, of which the request itself was counted; one that is refused costs nothing."""
    cost, counted = cost_of(items), g.get("counted", ())
    if service.limits is None or cost == 1 or not counted:
        return
    if not service.limits.could_allow(cost):
        raise ProblemError(
            TOO_MANY,
            f"These {items} items count as {cost} requests, more than any minute allows: ask for fewer at once.",
        )
    g.allowance = service.limits.counts.take_all(counted, cost, had=1)
    if not g.allowance.allowed:
        _refuse(next(one for one in reversed(counted) if one[1] == g.allowance.limit))


def _take(service: Service, name: str, limit: int) -> None:
    if service.limits is None:
        return
    allowance = service.limits.counts.take(name, limit)
    nearest = g.get("allowance")
    if not allowance.allowed or nearest is None or allowance.remaining <= nearest.remaining:
        g.allowance = allowance
    if not allowance.allowed:
        _refuse((name, limit))
    g.counted = (*g.get("counted", ()), (name, limit))


def _refuse(counted: tuple[str, int]) -> NoReturn:
    name, limit = counted
    what, _, _ = name.partition(":")
    raise ProblemError(TOO_MANY, f"The limit of this {what} is {limit} requests a minute.")
