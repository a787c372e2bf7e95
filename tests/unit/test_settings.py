"""Settings and the page that documents them agree."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings, complaint
from ratchet.stack.container_settings import ContainerSettings

FIELDS = {**Settings.model_fields, **ContainerSettings.model_fields}
EXAMPLE = Path(__file__).parents[2] / ".env.example"


def example_values() -> dict[str, str]:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_example_lists_every_setting_and_no_other():
    assert set(example_values()) == {name.upper() for name in FIELDS}


def test_example_shows_each_default():
    for name, field in FIELDS.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = (
            str(default).lower()
            if isinstance(default, bool)
            else f"{default:g}"
            if isinstance(default, float)
            else str(default)
        )
        assert example_values()[name.upper()] == shown, name


def test_every_setting_says_what_it_is_for():
    assert [name for name, field in FIELDS.items() if not field.description] == []


def test_environment_wins_over_the_running_stack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    (tmp_path / "stack.env").write_text("DATABASE_URL='postgresql://from-the-stack/ratchet'\nROUTER_PORT='7100'\n")
    monkeypatch.setenv("ROUTER_PORT", "7200")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    settings = Settings.load()
    assert (settings.database, settings.router_port) == ("postgresql://from-the-stack/ratchet", 7200)


@pytest.mark.parametrize("name", ["bronze", "gold", "silver"])
def test_a_folder_is_the_same_for_services_that_run_elsewhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert getattr(Settings(_env_file=None, **{name: "shared"}), name) == str(tmp_path / "shared")
    assert getattr(Settings(_env_file=None, **{name: "s3://bucket/shared"}), name) == "s3://bucket/shared"
    assert getattr(Settings(_env_file=None), name) == ""


def test_releases_may_lie_in_a_folder_named_either_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for written in ("shared", str(tmp_path / "shared"), (tmp_path / "shared").as_uri()):
        assert Settings(_env_file=None, artifacts=written).artifact_root == (tmp_path / "shared").as_uri()
    assert Settings(_env_file=None, artifacts="s3://bucket/releases").artifact_root == "s3://bucket/releases"


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_is_one_that_there_is(monkeypatch, port):
    monkeypatch.setenv("ROUTER_PORT", port)
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None)
    assert complaint(refused.value).startswith("ROUTER_PORT: Input should be ")


def test_a_complaint_is_in_our_own_words():
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, trusted_proxies="0.0.0.0/0")
    assert complaint(refused.value).startswith("TRUSTED_PROXIES: a network of all addresses")


def test_a_secret_does_not_show_itself():
    assert "hunter2" not in repr(Settings(_env_file=None, prediction_secret="hunter2"))


@pytest.mark.parametrize("value", ["changeme", "postgresql://ratchet:changeme@db/ratchet"])
def test_an_examples_secret_is_refused_without_being_shown(value):
    with pytest.raises(ValidationError, match="is still `changeme`") as refused:
        Settings(_env_file=None, prediction_secret=value)
    assert "PREDICTION_SECRET: " in complaint(refused.value)
    assert "postgresql" not in complaint(refused.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("", ""), ("127.0.0.1, 10.1.2.3/8", "127.0.0.1/32,10.0.0.0/8"), ("2001:db8::/32,", "2001:db8::/32")],
)
def test_proxies_are_addresses_and_networks(written, meant):
    assert Settings(_env_file=None, trusted_proxies=written).trusted_proxies == meant


@pytest.mark.parametrize(
    "value", ["front.example.org", "10.0.0.0/33", "10.0.0.1;", "0.0.0.0/0", "127.0.0.1,::/0", "on"]
)
def test_who_is_no_proxy_is_refused_by_name(value):
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, trusted_proxies=value)
    assert complaint(refused.value).startswith("TRUSTED_PROXIES: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("track", "shadow"), ("poll_seconds", 11), ("web_workers", 0), ("web_workers", 10**6)),
        *(("web_threads", 10**6), ("router_port", 0), ("postgres_port", 65536), ("log_retention_days", 10**9)),
    ],
)
def test_a_senseless_value_is_refused_by_name(name, value):
    with pytest.raises(ValidationError, match=name):
        Settings(_env_file=None, **{name: value})


def test_a_file_of_settings_that_is_no_text_is_named(tmp_path):
    (tmp_path / ".env").write_bytes("DATA_HOME=/srv/donnée\n".encode("latin-1"))
    with pytest.raises(RatchetError, match=r"\.env cannot be read: it is not UTF-8 \(byte 20\)"):
        Settings(_env_file=tmp_path / ".env")
