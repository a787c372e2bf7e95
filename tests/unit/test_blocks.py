"""Rows, some at a time."""

import pytest

from ratchet.blocks import blocks


@pytest.mark.parametrize(("count", "each"), [(7, [3, 3, 1]), (6, [3, 3]), (1, [1]), (0, [0])])
def test_every_row_is_in_one_block_and_nobody_is_answered_too(count, each):
    rows = list(range(count))
    found = [rows[some] for some in blocks(count, size=3)]
    assert [len(some) for some in found] == each
    assert [row for some in found for row in some] == rows
