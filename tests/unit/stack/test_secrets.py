"""Secrets: made once, for one reader."""

from ratchet.stack import secrets


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
