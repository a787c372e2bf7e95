import fcntl
import threading

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.serve.split import SHARES, FlagFileSplit


def flags(folder):
    return {path.name for path in folder.iterdir() if path.name.isdecimal()}


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


@pytest.mark.parametrize("salt", range(16))
def test_another_salt_is_kept_until_it_is_changed(tmp_path, salt):
    split = FlagFileSplit(tmp_path)
    split.set_share(20, salt=salt)
    split.set_share(5)
    assert (split.share(), split.salt()) == (5, salt)


def test_people_change_only_while_nobody_is_on_the_track(tmp_path, monkeypatch):
    split, seen = FlagFileSplit(tmp_path), []
    split.set_share(20, salt=3)
    touch = type(tmp_path).touch

    def noted(path, *arguments):
        if path.parent.name == "salt":
            seen.append(split.share())
        touch(path, *arguments)

    monkeypatch.setattr(type(tmp_path), "touch", noted)
    split.set_share(20, salt=12)
    assert (split.share(), split.salt(), set(seen)) == (20, 12, {0})


def test_there_are_sixteen_splits(tmp_path):
    with pytest.raises(RatchetError, match="16 splits"):
        FlagFileSplit(tmp_path).set_share(20, salt=16)
