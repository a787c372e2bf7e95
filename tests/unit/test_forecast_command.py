"""`ratchet forecast …` as a person meets it."""

import json

import pytest

from ratchet.__main__ import main
from releases import make_release


@pytest.fixture
def folder(tmp_path):
    make_release(tmp_path / "r1", ids=("pallets/flask",))
    return tmp_path / "r1"


def run(capsys, folder, *words):
    code = main(["forecast", "pallets/flask", "--release", str(folder), "--target", "sent", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_series_is_told_week_by_week(capsys, folder):
    code, out, _ = run(capsys, folder, "--horizon", "3")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("pallets/flask sent, r1, data to 2026-11-02")
    assert lines[1].split() == ["week", "median", "mean", "lo_80", "hi_80", "lo_95", "hi_95"]
    assert [line.split()[0] for line in lines[2:]] == ["2026-11-08", "2026-11-15", "2026-11-22"]
    assert lines[2].split()[1:] == ["12.0", "12.5", "11.0", "13.0", "10.0", "14.2"]


def test_a_chart_marks_the_median_within_its_bounds(capsys, folder):
    bars = run(capsys, folder, "--horizon", "2", "--plot")[1].splitlines()[-2:]
    for bar in bars:
        marks = bar.split("|")[1]
        assert marks.index(".") < marks.index("-") < marks.index("o") < marks.rindex("-") < marks.rindex(".")


def test_what_families_tell_of_a_series_is_said_on_request(capsys, folder, tmp_path):
    known = {"unique_id": "pallets/flask", "target": "sent", "family": "farima", "size": "mid"}
    told = {
        "mase": {"ets": 0.9, "farima": 0.75},
        "scores": {"mae": 2.5, "bias": -0.1},
        "explained": {"farima": {"d": 0.31, "d_error": 0.098}},
    }
    make_release(tmp_path / "r2", ids=("pallets/flask",), series=[known | told])
    lines = run(capsys, tmp_path / "r2", "--horizon", "2", "--explain")[1].splitlines()[4:]
    assert [line.split() for line in lines if line] == [
        ["farima", "d", "0.31,", "d_error", "0.098"],
        ["farima", "MASE", "0.75"],
        ["ets", "MASE", "0.9"],
        ["the", "release", "bias", "-0.1,", "mae", "2.5"],
    ]
    nothing = run(capsys, folder, "--horizon", "2", "--explain")[1].splitlines()[4:]
    assert [line for line in nothing if line] == ["no family tells anything of it", "it could not be validated"]


def test_programs_are_told_the_same(capsys, folder):
    told = json.loads(run(capsys, folder, "--horizon", "1", "--json")[1])
    figures = {"median": 12.0, "mean": 12.5, "lo_80": 11.0, "hi_80": 13.0, "lo_95": 10.0, "hi_95": 14.25}
    assert told == {
        "unique_id": "pallets/flask",
        "target": "sent",
        "release": "r1",
        "data_hour": "2026-11-02T05:00:00+00:00",
        "synthetic": False,
        "weeks": [{"week": "2026-11-08", **figures}],
    }
    told = json.loads(run(capsys, folder, "--json", "--explain")[1])
    assert {name: told[name] for name in ("mase", "scores", "explained")} == {"mase": {}, "scores": {}, "explained": {}}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(("--json", "--plot"), "--json has no chart", id="a chart for programs"),
        pytest.param(("--horizon", "99"), "between 1 and 12", id="too-far"),
        pytest.param(("--target", "stars"), "no target `stars`; there are: sent, lost", id="no-such-target"),
        pytest.param(("--release", "/nowhere"), "no release in /nowhere: it has no card.json", id="no-release"),
    ],
)
def test_what_cannot_be_answered_is_said(words, told, capsys, folder):
    code, _, err = run(capsys, folder, *words)
    assert code == 1
    assert told in err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("flask", "did you mean pallets/flask?", id="a part"),
        pytest.param("Pallets/Flask", "did you mean pallets/flask?", id="another case"),
        pytest.param("palets/flask", "did you mean pallets/flask?", id="a letter missing"),
        pytest.param("qqq", "there are 1, such as pallets/flask", id="nothing like it"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(name, told, capsys, folder):
    assert main(["forecast", name, "--release", str(folder), "--target", "sent"]) == 1
    assert capsys.readouterr().err == f"ratchet: no forecast for '{name}', sent; {told}\n"
