"""What runs as `nobody` for root owns its folder, also after root has put back a copy of it."""

import os
import pwd
from pathlib import Path

import pytest

from ratchet.stack.postgres import MAJOR, Server
from ratchet.stack.unprivileged import hand_over


@pytest.fixture
def handed(monkeypatch):
    """What becomes whose, as root would do it."""
    found = {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, uid, _gid, **_: found.setdefault(Path(path).name, uid))
    return found


def test_a_data_folder_that_root_has_copied_is_handed_over_with_all_that_is_in_it(tmp_path, handed):
    (tmp_path / "data/base").mkdir(parents=True)
    for name in ("data/PG_VERSION", "data/base/1"):
        (tmp_path / name).write_text(f"{MAJOR}\n")
    Server(home=tmp_path, port=1, password="-").initialise()
    nobody = pwd.getpwnam("nobody").pw_uid
    assert handed == dict.fromkeys(("PG_VERSION", "base", "1", "data"), nobody)
    assert list(handed)[-1] == "data"


def test_one_that_is_theirs_already_is_left_alone(tmp_path, handed, monkeypatch):
    monkeypatch.setattr(pwd, "getpwnam", lambda _: pwd.getpwuid(tmp_path.stat().st_uid))
    hand_over(tmp_path)
    assert handed == {}
