"""Orders in a real database: one waits at a time, each ends once."""

from datetime import UTC, datetime, timedelta

import pytest

from ratchet.contracts.errors import BusyError, JournalError, MetricsError, RatchetError
from ratchet.contracts.look import OrderKind
from ratchet.loop import Loop
from ratchet.observe.orders import Orders
from ratchet.settings import Settings

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture
def orders(postgres):
    return Orders(postgres)


def test_an_order_waits_until_it_ends_and_the_first_outcome_stands(orders):
    placed = orders.place("orders-a", kind="promote", who="ann", why="it is better", at=AT)
    assert orders.waiting("orders-a") == [placed]
    assert (placed.kind, placed.who, placed.why, placed.ended_at, placed.outcome) == (
        "promote",
        "ann",
        "it is better",
        None,
        None,
    )
    assert orders.end("orders-a", placed.order_id, outcome="carried out", at=AT + timedelta(minutes=1))
    assert not orders.end("orders-a", placed.order_id, outcome="withdrawn", at=AT + timedelta(minutes=2))
    assert orders.waiting("orders-a") == []
    assert orders.newest("orders-a", limit=5)[0].outcome == "carried out"


def test_one_order_at_a_time_for_each_workload(orders):
    first = orders.place("orders-b", kind="hold", who="ann", why="wait", at=AT)
    assert orders.place("orders-b", kind="promote", who="bob", why="no, now", at=AT) is None
    assert orders.place("orders-c", kind="promote", who="bob", why="another", at=AT) is not None
    assert not orders.end("orders-c", first.order_id, outcome="of another workload", at=AT)
    orders.end("orders-b", first.order_id, outcome="withdrawn", at=AT)
    assert orders.place("orders-b", kind="promote", who="bob", why="now", at=AT) is not None


def test_a_database_that_is_away_is_said_without_its_address():
    with pytest.raises(MetricsError, match="is away") as raised:
        Orders("postgresql://nobody:secret@127.0.0.1:1/none").waiting("orders-a")
    assert "secret" not in str(raised.value)


class Obedient(Loop):
    """A loop whose acts are written down instead of done; it refuses to roll back."""

    def __init__(self, database):
        super().__init__(Settings(_env_file=None, database_url=database))
        self.done = []

    def order(self, workload, kind, *, who, why, placed):
        assert placed == AT
        if kind is OrderKind.ROLLBACK:
            raise RatchetError("nothing is on trial")
        self.done.append((workload, kind, who, why))
        return {"reason": f"{kind.value} by {who}: {why}"}


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("promote", "promote by ann: it is better"),
        ("rollback", "refused: nothing is on trial"),
    ],
)
def test_the_loop_takes_an_order_up_once_and_says_what_came_of_it(orders, postgres, kind, outcome):
    workload, loop = f"taken-{kind}", Obedient(postgres)
    orders.place(workload, kind=kind, who="ann", why="it is better", at=AT)
    assert loop.carry_out_orders(workload) == [outcome]
    assert loop.carry_out_orders(workload) == []
    assert orders.newest(workload, limit=1)[0].outcome == outcome
    assert loop.done == ([(workload, OrderKind.PROMOTE, "ann", "it is better")] if kind == "promote" else [])


class Queueing(Obedient):
    """A loop in which another run is at work at first."""

    trouble = None

    def order(self, workload, kind, **said):
        if self.trouble:
            raise self.trouble
        return super().order(workload, kind, **said)


@pytest.mark.parametrize(
    "trouble", [BusyError("another run is at work"), JournalError("the journal failed: AdminShutdown 57P01")], ids=str
)
def test_an_order_that_finds_another_run_at_work_or_a_database_that_restarts_waits(orders, postgres, trouble):
    loop, workload = Queueing(postgres), f"waits-{trouble}"
    placed = orders.place(workload, kind="promote", who="ann", why="it is better", at=AT)
    loop.trouble = trouble
    with pytest.raises(type(trouble), match=str(trouble)):
        loop.carry_out_orders(workload)
    assert orders.waiting(workload) == [placed]
    loop.trouble = None
    assert loop.carry_out_orders(workload) == ["promote by ann: it is better"]
