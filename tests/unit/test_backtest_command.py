"""`ratchet backtest …` as a person meets it."""

import numpy as np
import pandas as pd
import pytest

from ratchet.__main__ import main


@pytest.fixture
def gold(tmp_path):
    """Three repositories of a year: a level, a climb, and one that ended two weeks before the others."""
    weeks = pd.date_range(end="2026-05-31", periods=52, freq="7D")
    level = np.random.default_rng(1).poisson(6, 52)
    parts = [
        pd.DataFrame({"unique_id": "a/level", "ds": weeks, "commits": level, "stars": 2 * level}),
        pd.DataFrame({"unique_id": "a/climb", "ds": weeks, "commits": np.arange(52), "stars": 1}),
        pd.DataFrame({"unique_id": "b/ended", "ds": weeks[:-2], "commits": 3, "stars": 3}),
    ]
    pd.concat(parts).to_csv(tmp_path / "weekly.csv", index=False)
    return tmp_path / "weekly.csv"


@pytest.fixture
def ask(capsys, gold):
    def run(*words):
        code = main(["backtest", "--gold", str(gold), "--recipe", "naive,window_average", *words])
        told = capsys.readouterr()
        return code, told.out.splitlines(), told.err

    return run


def table(lines):
    """Return each row's figures by family and way."""
    rows = [line.split() for line in lines if line.split()[1:2] in (["direct"], ["blind"])]
    return {
        (family, how): [float(figure) if figure != "-" else None for figure in figures]
        for family, how, *figures in rows
    }


def test_families_are_compared_both_ways_the_best_first(ask):
    code, lines, _ = ask("--horizon", "4", "--folds", "2")
    assert code == 0
    assert lines[0] == "weekly.csv: 4 series"
    assert lines[1] == "left out, 2: its last week is 2026-05-17, not 2026-05-31 as of most series"
    assert lines[2] == "2 folds of 4 weeks: after 2026-03-08 to 2026-05-03"
    rows = table(lines)
    assert set(rows) == {(family, how) for family in ("naive", "window_average") for how in ("direct", "blind")}
    assert rows["naive", "direct"][:5] == rows["naive", "blind"][:5]
    mase = [figures[0] for figures in rows.values()]
    assert mase == sorted(mase)


def test_only_some_series_are_asked_about(ask):
    code, lines, _ = ask("--series", "climb commits", "--how", "direct", "--horizon", "4", "--folds", "1")
    assert code == 0
    assert lines[0] == "weekly.csv: 1 series"
    assert set(table(lines)) == {("naive", "direct"), ("window_average", "direct")}
    assert table(lines)["naive", "direct"][:3] == [2.5, 2.739, -2.5], (
        "a climb of 1 a week is 1, 2, 3 and 4 ahead of naive"
    )


def test_more_folds_than_there_are_weeks_are_as_many_as_fit(ask):
    """Each cutoff before the history's beginning was counted: a number with twenty digits never came to an end."""
    few, many = (ask("--horizon", "4", "--how", "direct", "--folds", folds)[1][2] for folds in ("99", "9" * 20))
    assert many == few


def test_what_could_not_be_measured_is_said_and_comes_last(ask):
    _, lines, _ = ask("--series", "climb stars", "--how", "direct", "--horizon", "4", "--folds", "1")
    assert [figures[0] for figures in table(lines).values()] == [None, None], (
        "it never changed: there is no naive error"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(("--recipe", "crystal_ball"), "no family 'crystal_ball'", id="no-such-family"),
        pytest.param(("--series", "nobody"), "none of 4 series has 'nobody' in its name", id="no-such-series"),
        pytest.param(("--horizon", "30"), "of 52 weeks no 30 can be held out", id="too-far"),
        pytest.param(("--gold", "/nowhere"), "neither series.parquet nor a CSV file", id="no-gold"),
    ],
)
def test_what_makes_no_sense_is_one_line(words, told, ask):
    code, lines, err = ask(*words)
    assert (code, lines) == (1, [])
    assert told in err
    assert "Traceback" not in err
