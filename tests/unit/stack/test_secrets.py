"""Secrets: made once, for one reader."""

import json

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings
from ratchet.stack import api_keys, commands, secrets
from ratchet.stack.paths import Home
from ratchet.stack.up import up

DAMAGED = {
    "cut short": lambda whole: json.dumps(whole)[:-9],
    "empty": lambda _: "",
    "not text": lambda _: "\udcff",
    "a list": lambda whole: json.dumps(list(whole)),
    "one is missing": lambda whole: json.dumps({name: whole[name] for name in list(whole)[1:]}),
    "one is empty": lambda whole: json.dumps({**whole, next(iter(whole)): ""}),
    "a number": lambda whole: json.dumps({**whole, next(iter(whole)): 7}),
}


@pytest.fixture(params=DAMAGED)
def damage(request):
    """Spoils a file of secrets in one way."""

    def spoil(path):
        spoilt = DAMAGED[request.param](json.loads(path.read_text()))
        path.write_text(spoilt, errors="surrogateescape")

    return spoil


def test_a_damaged_file_is_named_with_what_to_do(tmp_path, damage, monkeypatch):
    settings = Settings(_env_file=None, data_home=tmp_path)
    home = Home(settings.home)
    home.prepare()
    secrets.load(home.secrets)
    damage(home.secrets)
    monkeypatch.setattr("ratchet.stack.supervised.Supervisor.is_running", lambda _: True)
    for command in (commands.status, up):
        with pytest.raises(RatchetError, match=r"secrets\.json is damaged .*put a copy of it back") as told:
            command(settings)
        assert "\n" not in str(told.value)


def test_damaged_api_keys_are_named_with_what_to_do(tmp_path, damage):
    home = Home(tmp_path)
    secrets.write_closed(home.api_keys, json.dumps({"predict": "rk_1", "operate": "rk_2"}))
    assert api_keys.of_home(home, {}) == api_keys.Keys(predict="rk_1", operate="rk_2", fresh=False)
    damage(home.api_keys)
    with pytest.raises(RatchetError, match=r"api-keys\.json is damaged .*delete it"):
        api_keys.of_home(home, {})


def test_what_a_later_version_adds_to_the_file_is_no_damage(tmp_path):
    made = secrets.load(tmp_path / "secrets.json")
    known = json.loads((tmp_path / "secrets.json").read_text())
    (tmp_path / "secrets.json").write_text(json.dumps({**known, "another": "x"}))
    assert secrets.load(tmp_path / "secrets.json") == made


def test_secrets_are_made_once(tmp_path):
    assert secrets.load(tmp_path / "secrets.json") == secrets.load(tmp_path / "secrets.json")


def test_two_homes_share_no_secret(tmp_path):
    one, other = secrets.load(tmp_path / "one"), secrets.load(tmp_path / "other")
    assert all(getattr(one, name) != getattr(other, name) for name in one.__slots__)


def test_only_the_owner_may_read_them(tmp_path):
    secrets.load(tmp_path / "secrets.json")
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_no_secret_is_on_a_command_line(make_stack):
    stack = make_stack()
    words = " ".join(part for service in stack.services() for part in service.command)
    assert [name for name in stack.secrets.__slots__ if getattr(stack.secrets, name) in words] == []
