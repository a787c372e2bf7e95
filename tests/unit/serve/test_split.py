import fcntl
import threading

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.serve.split import SHARES, FlagFileSplit


def flags(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_nothing_set_is_nothing_shared(tmp_path):
    assert FlagFileSplit(tmp_path / "weights").share() == 0


@pytest.mark.parametrize("before", SHARES)
@pytest.mark.parametrize("percent", SHARES)
def test_exactly_one_flag_remains(tmp_path, before, percent):
    split = FlagFileSplit(tmp_path / "weights")
    split.set_share(before)
    split.set_share(percent)
    assert split.share() == percent
    assert flags(tmp_path / "weights") == ({str(percent)} if percent else set())


@pytest.mark.parametrize("percent", [-5, 1, 25, 100])
def test_another_percent_is_refused_and_changes_nothing(tmp_path, percent):
    split = FlagFileSplit(tmp_path)
    split.set_share(20)
    with pytest.raises(RatchetError, match="0, 5, 10, 20, 50"):
        split.set_share(percent)
    assert split.share() == 20


def test_of_two_flags_the_larger_counts(tmp_path):
    (tmp_path / "5").touch()
    (tmp_path / "20").touch()
    assert FlagFileSplit(tmp_path).share() == 20


def test_while_it_changes_there_is_always_a_share(tmp_path):
    split = FlagFileSplit(tmp_path)
    split.set_share(5)
    seen, stop = set(), threading.Event()

    def change():
        for _ in range(300):
            split.set_share(50)
            split.set_share(5)
        stop.set()

    thread = threading.Thread(target=change)
    thread.start()
    while not stop.is_set():
        # As nginx looks: the smaller flags first, a larger one overrules them.
        seen.add(frozenset(flags(tmp_path)))
    thread.join()
    assert frozenset() not in seen


def test_two_who_change_it_at_once_take_turns(tmp_path):
    thread = threading.Thread(target=FlagFileSplit(tmp_path).set_share, args=(10,))
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread.start()
        thread.join(0.1)
        assert flags(tmp_path) == set()
    thread.join(5)
    assert flags(tmp_path) == {"10"}
