"""Whether a service can be used now."""

import time
from collections.abc import Callable
from http.client import HTTPException
from urllib import request

from ratchet.contracts.errors import RatchetError
from ratchet.stack.services import Service


class NotReadyError(RatchetError):
    """It took longer than it was given."""


def answers(address: str, *, timeout: float = 2.0) -> bool:
    """Whether the address answers with a success."""
    try:
        with request.urlopen(address, timeout=timeout) as answer:  # noqa: S310  # our own addresses
            return bool(answer.status < 300)
    except (OSError, HTTPException, ValueError):  # the last: it is no address
        return False


def wait_for(
    what: str, check: Callable[[], bool], *, timeout: float, look: str, still: Callable[[], object] = lambda: None
) -> None:
    """Return once `check` holds; a `NotReadyError` that says where to look after `timeout` seconds, or what `still` raises meanwhile."""
    end = time.monotonic() + timeout
    while not check():
        still()
        if time.monotonic() > end:
            raise NotReadyError(f"{what} was not ready within {timeout:.0f} s; see {look}")
        time.sleep(0.25)


def wait_for_service(service: Service, *, timeout: float, still: Callable[[], object] = lambda: None) -> None:
    """As `wait_for`, until the service's health address answers."""
    wait_for(
        service.name,
        lambda: service.health is None or answers(service.health),
        timeout=timeout,
        look=f"`make logs S={service.name}`",
        still=still,
    )
