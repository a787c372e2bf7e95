"""`ratchet rehearse` as somebody types it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ratchet.__main__ import main
from ratchet.contracts.policy import Mode
from ratchet.rehearsal.command import read_policy
from ratchet.settings import Settings


@pytest.fixture
def gold(tmp_path, small):
    (tmp_path / "gold").mkdir()
    small.frame.to_csv(tmp_path / "gold/gold.csv", index=False)
    return tmp_path / "gold"


def rehearse(tmp_path, gold, *more):
    return [
        "rehearse", "--gold", str(gold), "--from", "2026-05-10", "--recipe", "seasonal_naive", "--out", str(tmp_path / "out"), *more
    ]  # fmt: skip


def test_a_report_in_three_forms_from_one_command(tmp_path, gold, monkeypatch, capsys):
    monkeypatch.setenv("DATA_HOME", str(tmp_path / "home"))
    assert main(rehearse(tmp_path, gold, "--processes", "1")) == 0
    out, err = capsys.readouterr()
    assert "| the loop |" in out
    assert "trained 4 of 4" in err
    body = json.loads((tmp_path / "out/report.json").read_text())
    assert (body["weeks"], body["from"], body["recipe"]) == (4, "2026-05-10", ["seasonal_naive"])
    assert (tmp_path / "out/report.html").exists()
    assert (tmp_path / "out/report.md").read_text() in out
    trained = len(list((tmp_path / "home/rehearsals/.releases/github_activity").iterdir()))
    assert main(rehearse(tmp_path, gold, "--policy", "spec", "--processes", "1")) == 0
    assert len(list((tmp_path / "home/rehearsals/.releases/github_activity").iterdir())) == trained
    assert json.loads((tmp_path / "out/report.json").read_text())["policy"]["mode"] == "spec"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--plant", "odd@2"), "--plant is one of biased"),
        (("--plant", "slow@²"), "--plant is one of biased"),
        (("--plant", "slow@4"), "--plant: a rehearsal of 4 weeks tries no candidate of week 4; the last is that of 3"),
        (("--plant", "slow@99"), "--plant: a rehearsal of 4 weeks tries no candidate of week 99"),
        (("--plant", "slow@2", "--plant", "biased@2"), "--plant: a week has one candidate"),
        (("--recipe", "crystal_ball"), "no family crystal_ball"),
        (("--policy", '{"alpha": 1}'), "--policy: POLICY knows no alpha"),
        (("--policy", '{"margin": -1}'), "--policy: POLICY: margin must be above 0, not -1"),
        (("--targets", "wishes"), "no such target: wishes; there are: commits"),
        (("--policy", "often"), "mode can be spec, spec_guarded, evidence, not 'often'"),
        (("--to", "2026-05-01"), "--from 2026-05-10 is after the last week, 2026-05-03"),
        (("wishes",), "no workload `wishes`"),
        (("--to", "tomorrow"), "not a day"),
        (("--to", "2031-01-01"), "not within the history"),
        (("--to", "9999-12-31"), "not within the history"),
        (("--from", "0001-01-01"), "not within the history"),
        (("--gold", "/nowhere"), "neither series.parquet nor a CSV file"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(tmp_path, gold, monkeypatch, capsys, more, says):
    monkeypatch.setenv("DATA_HOME", str(tmp_path / "home"))
    assert main(rehearse(tmp_path, gold, *more)) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_clear_line_and_no_report(tmp_path, gold, monkeypatch, capsys):
    monkeypatch.setenv("DATA_HOME", str(tmp_path / "home"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ratchet.rehearsal.command.publish", full)
    assert main(rehearse(tmp_path, gold, "--processes", "1")) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_gold_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_HOME", str(tmp_path / "home"))
    assert main(["rehearse"]) == 1
    assert "run `ratchet ingest github_activity`" in capsys.readouterr().err


def test_the_policy_is_the_one_in_force_here_with_what_is_asked_for_laid_over_it(monkeypatch):
    monkeypatch.setenv("POLICY", '{"mode": "spec", "min_ab_hours": 24}')

    def read(text):
        return read_policy(text, Settings.load(), workload="github_activity")

    assert (read("").mode, read("").min_ab_hours) == (Mode.SPEC, 24)
    assert (read("spec_guarded").mode, read("spec_guarded").min_ab_hours) == (Mode.SPEC_GUARDED, 24)
    asked = read('{"mode": "evidence", "ab_share": 0.5, "composite": {"min_ratings": 20}}')
    assert (asked.mode, asked.min_ab_hours, asked.ab_share, asked.composite.min_ratings) == (Mode.EVIDENCE, 24, 0.5, 20)


@pytest.mark.parametrize("more", [("--seed", "-1"), ("--processes", "0"), ("--seed", "x")])
def test_a_number_that_makes_no_sense_is_refused_before_anything_is_trained(tmp_path, gold, capsys, more):
    with pytest.raises(SystemExit) as refused:
        main(rehearse(tmp_path, gold, *more))
    assert refused.value.code == 2
    assert f"argument {more[0]}: must be a whole number from" in capsys.readouterr().err


def test_an_interrupt_leaves_no_report_and_no_process(tmp_path, gold):
    command = [sys.executable, "-m", "ratchet", *rehearse(tmp_path, gold, "--processes", "2", "--from", "2025-12-01")]
    environment = {**os.environ, "DATA_HOME": str(tmp_path / "home"), "PYTHONPATH": "src"}
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_interrupts,  # noqa: PLW1509  # it takes no lock
    )
    for line in process.stderr:
        if "trained" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.stderr.close()
    assert not (tmp_path / "out").exists()
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up and _group_lives(process.pid):
        time.sleep(0.1)
    assert not _group_lives(process.pid)


def _hear_interrupts():
    """Tests that were started in the background ignore them, and so would what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_where_no_report_can_be_written_nothing_is_trained(tmp_path, gold, monkeypatch, capsys):
    monkeypatch.setenv("DATA_HOME", str(tmp_path / "home"))
    (tmp_path / "out").write_text("a file where the folder would be")
    assert main(rehearse(tmp_path, gold, "--processes", "1")) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path}/out is a file" in err
    assert "trained" not in err
