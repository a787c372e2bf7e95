"""The shell commands where nothing runs."""

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import commands


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, data_home=tmp_path / "home")


def test_status_of_a_stopped_stack_says_how_to_start_it(settings, capsys):
    assert commands.status(settings) == 3
    assert "make up" in capsys.readouterr().out


def test_down_of_a_stopped_stack_is_no_error(settings, capsys):
    commands.down(settings)
    assert "data stays" in capsys.readouterr().out


def test_restart_of_a_stopped_stack_says_so(settings):
    with pytest.raises(RatchetError, match="stopped"):
        commands.restart(settings, "router")


def test_logs_of_an_unknown_service_name_the_known_ones(settings):
    logs = settings.home / "logs"
    logs.mkdir(parents=True)
    (logs / "router.log").touch()
    with pytest.raises(RatchetError, match="router"):
        commands.logs(settings, "ruoter")


def test_clean_deletes_only_after_a_yes(settings, monkeypatch, capsys):
    home = settings.home
    for name in ("run", "logs"):
        (home / name).mkdir(parents=True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    commands.clean(settings, yes=False, ask=lambda _: "n")
    assert home.exists()
    commands.clean(settings, yes=False, ask=lambda _: "yes")
    assert not home.exists()
    assert "is gone" in capsys.readouterr().out


def test_clean_without_a_person_to_ask_deletes_nothing(settings, monkeypatch):
    settings.home.mkdir()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(RatchetError, match="--yes"):
        commands.clean(settings, yes=False)
    assert settings.home.exists()


def test_clean_refuses_a_folder_that_is_not_its_own(settings):
    (settings.home / "holiday-pictures").mkdir(parents=True)
    with pytest.raises(RatchetError, match="does not look like"):
        commands.clean(settings, yes=True)
    assert (settings.home / "holiday-pictures").exists()
