"""The guard's rounds: prompt where a stage may move at any moment, once a minute where only guardrails speak, quiet about the rest."""

import json
import logging
import time
from types import SimpleNamespace

import pytest

from monitoring.exporter import textfiles
from ratchet.contracts.errors import JournalError
from ratchet.guard import Rounds, guard, watch
from ratchet.settings import Settings


class Loop:
    """A stage, and a note of every look."""

    def __init__(self, stage):
        self.now, self.looks, self.at, self.away = 0.0, [], stage, False
        self.ordered = []

    def orders(self, _workload):
        taken, self.ordered = self.ordered, []
        return taken

    def stage(self, _workload):
        if self.away:
            raise JournalError("the journal is away: Connection refused")
        return self.at

    def advance(self, _workload, *, now):
        self.looks.append((self.now, now.tzinfo is not None))
        return {"verdict": "none"}

    def run(self, kept, seconds):
        for _ in range(seconds // 5):
            watch("toys", kept, stage=self.stage, orders=self.orders, advance=self.advance, clock=lambda: self.now)
            self.now += 5


@pytest.mark.parametrize(
    ("stage", "looks"),
    [("", 0), ("queued", 24), ("warmup", 24), ("promoting", 24), ("canary", 2), ("ab", 2), ("watch", 2)],
)
def test_how_often_it_looks_depends_on_what_may_happen(stage, looks):
    loop = Loop(stage)
    loop.run(Rounds(), 120)
    assert len(loop.looks) == looks


def test_a_neighbour_that_is_away_is_one_line_and_its_return_another(caplog):
    loop, kept = Loop("ab"), Rounds()
    with caplog.at_level(logging.WARNING):
        loop.away = True
        loop.run(kept, 60)
        loop.away = False
        loop.run(kept, 60)
    assert caplog.messages == ["toys: the journal is away: Connection refused", "toys: all neighbours are back"]
    assert len(loop.looks) == 1


def test_what_people_ordered_is_taken_up_within_seconds_also_where_nothing_is_on_trial(caplog):
    loop, kept = Loop(""), Rounds()
    loop.ordered = ["revert by ann: it is wrong"]
    with caplog.at_level(logging.INFO):
        loop.run(kept, 10)
    assert caplog.messages == ["toys: an order was taken up: revert by ann: it is wrong"]


def test_what_nobody_foresaw_is_told_with_its_place_once_and_ends_no_watch(caplog):
    loop, kept = Loop("ab"), Rounds()
    loop.advance = lambda *_, **__: json.loads("a look that is none")
    loop.run(kept, 300)
    loop.advance = lambda *_, **__: {}
    loop.run(kept, 60)
    assert [line.partition(":")[2] for line in caplog.messages] == [
        " JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        " all neighbours are back",
    ]
    assert [record.exc_info is not None for record in caplog.records] == [True, False]


def test_each_round_without_trouble_leaves_its_time_for_prometheus(tmp_path, monkeypatch):
    """What stops to say so is an alert, also where the guard is gone, hangs or is started again and again."""
    loop = Loop("ab")
    stands_for = SimpleNamespace(stage=loop.stage, carry_out_orders=loop.orders, advance=loop.advance)
    monkeypatch.setattr("ratchet.guard.Loop", lambda _: stands_for)
    monkeypatch.setattr("ratchet.guard.signal.signal", lambda *_: None)
    settings = Settings(_env_file=None, data_home=str(tmp_path), workloads="toys")
    gone = tmp_path / "metrics" / "guard-gone.prom"
    gone.parent.mkdir()
    gone.write_text("of a workload that is watched no more")

    def seen():
        metric, _ = textfiles.TextFiles(tmp_path / "metrics").collect()
        return {sample.labels["workload"]: sample.value for sample in metric.samples}

    assert guard(settings, once=True) == 0
    first = seen()
    assert abs(first["toys"] - time.time()) < 60
    assert list(first) == ["toys"]
    loop.away = True
    assert guard(settings, once=True) == 1
    assert seen() == first
    loop.away = False
    assert guard(settings, once=True) == 0
    assert seen()["toys"] > first["toys"]
