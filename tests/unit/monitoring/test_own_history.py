"""Reading a history that a person brings."""

import pytest

from monitoring.dashboard.api import Trouble
from monitoring.dashboard.screens.own import _table, _typed


@pytest.mark.parametrize(
    "text",
    [
        "week,commits\n2026-11-01,12\n2026-11-08,9\n",
        "repo,week,commits\npallets/flask,2026-11-01,12\npallets/flask,2026-11-08,9\n",
        "2026-11-01,12\n2026-11-08,9\n",
        "2026-11-01;12\n2026-11-08;9\n",
        '"a, b",12\n"c, d",9\n',
        "commits\n12\n9\n",
        "\ufeff12\n9\n",
        "12, 9",
        "12 9\n",
        "\ufeffweek,commits\r\n2026-11-01,12\r\n\r\n2026-11-08, 9\r\n",
    ],
)
def test_the_last_column_of_a_csv_is_the_history(text):
    assert _table(text.encode()) == [12, 9]


@pytest.mark.parametrize("text", ["12, 9", "12 9", "12\n9\n", "counts 12;9", "2026-11-01,12\n2026-11-08,9"])
def test_pasted_counts(text):
    assert _typed(text) == [12, 9]


@pytest.mark.parametrize("text", ["12\nnan\n9", "12,inf,9", "12\nmany\n9"])
def test_what_is_no_count_is_named(text):
    for read in (_typed, lambda text: _table(text.replace(",", "\n").encode())):
        with pytest.raises(Trouble) as caught:
            read(text)
        assert text.replace("\n", ",").split(",")[1] in caught.value.detail


@pytest.mark.parametrize("text", ["2026-11-01;12,5\n2026-11-08;9,5", "week,commits\n2026-11-01,12\n2026-11-08,NaN\n"])
def test_a_table_whose_last_column_holds_something_else_is_refused(text):
    with pytest.raises(Trouble):
        _table(text.encode())


def test_nothing_is_said_to_be_nothing():
    for read in (_typed, lambda text: _table(text.encode())):
        with pytest.raises(Trouble, match="There are no counts"):
            read("commits\n")
