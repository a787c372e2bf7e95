"""`ratchet train` as a person watches it: one line for the jobs, drawn again and again, and everything else above it."""

import io
import logging

import numpy as np
import pytest

from ratchet import forecasters
from ratchet.bars import Bar
from ratchet.train.crew import in_process
from ratchet.train.folds import plan
from ratchet.train.validation import validate
from ratchet.train_command import Drawing


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def panel(panel_of):
    return panel_of(np.arange(60.0).reshape(2, 30) % 7)


def test_a_terminal_shows_how_many_jobs_are_done_on_how_many_series_and_the_time_left(panel):
    terminal, times = Terminal(), iter(range(100))
    logger = logging.getLogger("ratchet.loop")
    drawing = Drawing(Bar(terminal, clock=lambda: next(times)), logging.Formatter("at noon %(message)s"))
    logger.addHandler(drawing)
    logger.setLevel(logging.INFO)
    try:
        logger.info("training on %s", "gold")
        families = [forecasters.find("seasonal_naive"), forecasters.find("naive")]
        validate(panel, families, plan(30, horizon=8)[:2], say=logger.info, crew=in_process)
        logger.info("calibrating the bounds")
    finally:
        logger.removeHandler(drawing)
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn[1] == "at noon training on gold\n"
    assert drawn[2] == "[██████··················] 1/4 jobs on 2 series, 3 s left: seasonal_naive from week 8"
    assert drawn[5] == "[████████████████████████] 4/4 jobs on 2 series, 0 s left: naive from week 10"
    assert drawn[6] == "at noon calibrating the bounds\n"
    assert len(drawn) == 7
