"""How a training went is beside the release, and no part of it."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np

from ratchet.contracts.release import CARD, TRAINING
from ratchet.register.folder import check_folder
from ratchet.serve.release import open_release
from ratchet.train import bundle
from ratchet.train.crew import in_process
from ratchet.train.running import Running

STAGES = {"validate", "search", "choose", "calibrate", "learn", "write"}


def test_each_stage_is_counted_where_it_is_spent():
    ticks = iter([0.0, 2.0, 5.0, 6.0, 10.0, 13.5]).__next__
    running = Running(crew=in_process, say=print, clock=ticks)
    for name in ("validate", "write", "validate"):
        with running.stage(name):
            pass
    assert running.describe()["seconds"] == {"validate": 5.5, "write": 1.0}


def test_a_release_says_how_its_training_went(run, history, tmp_path):
    card = run(history, tmp_path, recipe=("naive",))
    folder = tmp_path / card.release_id
    known = json.loads((folder / TRAINING).read_bytes())
    assert set(known["seconds"]) == STAGES
    assert all(seconds >= 0 for seconds in known["seconds"].values())
    assert 20 < known["peak_mib"] < 100_000
    environment = known["environment"]
    assert environment["crew"] == "in_process"
    assert environment["numpy"] == np.__version__
    assert {"cores", "platform", "python", "lightgbm", "statsforecast"} <= set(environment)
    assert TRAINING not in card.checksums
    assert sorted(path.name for path in tmp_path.iterdir()) == [card.release_id]


def test_a_process_that_ended_before_the_training_began_is_none_of_its_workers():
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert "worker_peak_mib" not in Running(crew=in_process, say=print).describe()


def test_a_release_is_as_good_without_it_and_with_any(run, history, tmp_path):
    card = run(history, tmp_path, recipe=("naive",))
    folder = tmp_path / card.release_id
    for spoil in (lambda path: path.write_text("{"), lambda path: path.unlink()):
        spoil(folder / TRAINING)
        assert bundle.find(folder) == card
        check_folder(folder, card)
        open_release(folder, verify=True)


def test_where_it_cannot_be_written_there_is_nothing_but_a_word(tmp_path):
    said = []
    Running(crew=in_process, say=said.append).write(tmp_path / "away")
    assert list(tmp_path.iterdir()) == []
    assert "is not kept" in said[0]


def test_the_card_is_not_about_it(run, history, tmp_path):
    slow = run(history, tmp_path / "a", recipe=("naive",))
    fast = run(history, tmp_path / "b", recipe=("naive",))
    assert replace(slow) == fast
    assert (tmp_path / "a" / slow.release_id / CARD).read_bytes() == (
        tmp_path / "b" / fast.release_id / CARD
    ).read_bytes()
