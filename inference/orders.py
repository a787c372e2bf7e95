"""`/api/<workload>/orders`: an operator asks the loop to promote, roll back or hold; the loop takes it up within a minute."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Literal

from flask import Blueprint, Response, request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from inference.fields import WITHOUT_NUL
from inference.here import body
from inference.identity import require
from inference.problems import DATABASE_AWAY, ORDER_WAITS, UNKNOWN_ORDER, ProblemError
from inference.respond import as_json
from inference.service import OrderBook, Service
from inference.shapes import Shape
from ratchet.contracts.errors import MetricsError
from ratchet.serve.answer import UnknownWorkloadError

Kind = Literal["promote", "rollback", "revert", "hold", "clear", "approve", "deny"]
SHOWN = 20


class Wish(BaseModel):
    """What is to be done, and why: the reason stays in the record for good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500), WITHOUT_NUL]


class Withdrawal(BaseModel):
    """Which order is taken back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: Annotated[int, Field(ge=1, le=2**62, strict=True)]


class Withdrawn(Shape):
    """The order will not be taken up."""

    order_id: int
    outcome: Literal["withdrawn"]


class Order(Shape):
    """An order. `ended_at` and `outcome` are null while it waits."""

    order_id: int
    kind: str
    who: str
    why: str
    at: AwareDatetime
    ended_at: AwareDatetime | None
    outcome: str | None


class OrderList(Shape):
    """The newest orders first."""

    workload: str
    orders: list[Order]


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("orders", __name__)

    @bp.get("/api/<workload>/orders")
    def listed(workload: str) -> Response:
        _require(service, workload)
        with _book(service) as book:
            rows = book.newest(workload, limit=SHOWN)
        return as_json({"workload": workload, "orders": [asdict(row) for row in rows]})

    @bp.post("/api/<workload>/orders")
    def place(workload: str) -> Response:
        _require(service, workload)
        wish = Wish.model_validate_json(body())
        who = service.keys.holder(request.headers["X-API-Key"])
        name = who.name if who else ""
        with _book(service) as book:
            row = book.place(workload, kind=wish.kind, who=name, why=wish.why, at=service.clock())
        if row is None:
            raise ProblemError(
                ORDER_WAITS, "An earlier order has not been taken up yet: withdraw it, or wait a minute."
            )
        return as_json(asdict(row), 202)

    @bp.post("/api/<workload>/orders/withdraw")
    def withdraw(workload: str) -> Response:
        _require(service, workload)
        order_id = Withdrawal.model_validate_json(body()).order_id
        with _book(service) as book:
            was_waiting = book.end(workload, order_id, outcome="withdrawn", at=service.clock())
        if not was_waiting:
            raise ProblemError(UNKNOWN_ORDER, f"No order {order_id} of {workload} waits any more.")
        return as_json({"order_id": order_id, "outcome": "withdrawn"})

    return bp


def _require(service: Service, workload: str) -> None:
    require(service, "operate")
    if not service.answerer.serves(workload):
        raise UnknownWorkloadError(f"no workload {workload!r} here")


@contextmanager
def _book(service: Service) -> Iterator[OrderBook]:
    if service.orders is None:
        raise ProblemError(DATABASE_AWAY, "This service has no database.")
    try:
        yield service.orders
    except MetricsError as error:
        raise ProblemError(DATABASE_AWAY, str(error)) from error
