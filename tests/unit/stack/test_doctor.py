"""What the doctor finds, and what it says to do."""

import socket

import pytest

from ratchet.settings import Settings
from ratchet.stack import doctor
from ratchet.stack.env_file import write
from ratchet.stack.ports import free_port


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A folder and an environment with nothing in them."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_HOME", str(tmp_path / "home"))
    for name in Settings.model_fields:
        if name.endswith("_port"):
            monkeypatch.setenv(name.upper(), str(free_port()))


def bad(tmp_path):
    return {found.what: found.says for found in doctor.examine(tmp_path) if not found.is_well}


def test_all_is_well_where_nothing_is_set(tmp_path, capsys):
    assert bad(tmp_path) == {}
    assert doctor.run() == 0
    assert "all well" in capsys.readouterr().out


def test_a_misspelt_setting_is_named_with_its_neighbour(tmp_path):
    (tmp_path / ".env").write_text("LOG_RETENTOIN_DAYS=10\n")
    (tmp_path / ".env").chmod(0o600)
    assert bad(tmp_path)[".env"] == "LOG_RETENTOIN_DAYS is no setting; did you mean LOG_RETENTION_DAYS?"


def test_an_env_file_may_begin_with_a_byte_order_mark(tmp_path):
    """Its first line was no setting to the doctor, and `make env` gave a secret that stands there a second value."""
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=mine\n", encoding="utf-8-sig")
    (tmp_path / ".env").chmod(0o600)
    assert ".env" not in bad(tmp_path)
    assert "POSTGRES_PASSWORD" not in write(tmp_path / ".env")


def test_an_example_password_is_named(tmp_path):
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=changeme\n")
    (tmp_path / ".env").chmod(0o600)
    assert "POSTGRES_PASSWORD are still `changeme`" in bad(tmp_path)[".env"]


def test_a_file_as_a_shell_and_an_editor_write_it_is_well(tmp_path):
    """`export` and indented comments were called no settings, and every line of a longer value."""
    (tmp_path / ".env").write_text('export POLL_SECONDS=2\n  # NOTE=ours\nPOLICY=\'{\n "mode": "spec"}\' # =\n')
    assert bad(tmp_path) == {}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b"POLL_SECONDS='2\nEVENTS=sample\n", "line 1 cannot be read"),
        ("DATA_HOME=/srv/donnée\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, written, says):
    (tmp_path / ".env").write_bytes(written)
    assert says in " ".join(bad(tmp_path).values())


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [("POLICY", "{", "policy"), ("WORKLOADS", "github_activity,x", "workloads"), ("EVENTS_FROM", "soon", "events")],
)
def test_what_only_the_loop_understands_is_looked_at_too(tmp_path, monkeypatch, name, value, what):
    monkeypatch.setenv(name, value)
    assert list(bad(tmp_path)) == [what]


@pytest.mark.parametrize(("line", "says"), [("ROUTER_PORT=7001", ""), ("NOTIFY_URLS=slack://a/b/c", "chmod 600")])
def test_an_env_file_that_others_may_read_matters_once_it_holds_a_secret(tmp_path, line, says):
    """As `cp .env.example .env` leaves it."""
    (tmp_path / ".env").write_text(f"{line}\nPREDICTION_SECRET=\n")
    (tmp_path / ".env").chmod(0o644)
    assert says in bad(tmp_path).get(".env", "")
    assert (".env" in bad(tmp_path)) == bool(says)


def test_a_senseless_value_is_named_and_nothing_else_is_guessed(tmp_path, monkeypatch):
    monkeypatch.setenv("POLL_SECONDS", "80")
    found = bad(tmp_path)
    assert list(found) == ["settings"]
    assert "POLL_SECONDS" in found["settings"]


def test_a_secret_is_never_shown(monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ratchet:hunter2@127.0.0.1:{free_port()}/ratchet")
    monkeypatch.setenv("PREDICTION_SECRET", "hunter3")
    assert doctor.run() == 1
    assert "hunter" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "password", ["hunter/2", "hunter@2", "hunter%zz", "hunter#2", "hunter:2", "/hunter", "@hunter"]
)
def test_a_password_that_spoils_its_address_is_never_shown_either(tmp_path, monkeypatch, password):
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ratchet:{password}@127.0.0.1:{free_port()}/ratchet")
    said = bad(tmp_path)["database"]
    assert "hunter" not in said
    assert said.startswith("DATABASE_URL ")


def test_a_taken_port_names_its_setting(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("MLFLOW_PORT", str(taken.getsockname()[1]))
        assert "set MLFLOW_PORT" in bad(tmp_path)["ports"]


def test_neighbours_that_are_away_say_which_setting_leads_there(tmp_path, monkeypatch):
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nowhere)
    monkeypatch.setenv("PROMETHEUS_URL", nowhere)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ratchet:x@127.0.0.1:{free_port()}/ratchet")
    found = bad(tmp_path)
    assert "MLFLOW_TRACKING_URI leads to" in found["MLflow"]
    assert "every verdict is `hold`" in found["Prometheus"]
    assert "DATABASE_URL leads to 127.0.0.1" in found["database"]


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "postgresql://ratchet:hunter2@127.0.0.1:abc/ratchet",
        "postgresql://ratchet:hunter2@[::1/ratchet",
        "postgresql://ratchet:hunter2@127.0.0.1:1/ratchet?colour=red",
        "postgresql://ratchet:half@hunter2@127.0.0.1:1/ratchet",
    ],
)
def test_an_address_of_a_database_that_makes_no_sense_is_named_without_its_password(tmp_path, monkeypatch, address):
    monkeypatch.setenv("DATABASE_URL", address)
    found = bad(tmp_path)
    assert found["database"].startswith("DATABASE_URL ")
    assert "hunter" not in found["database"]


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:abc", "http://[::1"])
def test_an_address_that_makes_no_sense_is_named_like_one_where_nobody_answers(tmp_path, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("PROMETHEUS_URL", address)
    found = bad(tmp_path)
    assert f"MLFLOW_TRACKING_URI leads to {address}" in found["MLflow"]
    assert f"PROMETHEUS_URL leads to {address}" in found["Prometheus"]


def test_a_database_is_looked_into(tmp_path, monkeypatch, postgres, postgres_server):
    monkeypatch.setenv("DATABASE_URL", postgres)
    assert "database" not in bad(tmp_path)
    postgres_server.create_database("empty")
    monkeypatch.setenv("DATABASE_URL", postgres_server.uri("empty"))
    assert "ratchet migrate" in bad(tmp_path)["database"]


def test_a_bucket_is_written_to_or_said_to_refuse(tmp_path, monkeypatch, bucket):
    monkeypatch.setenv("ARTIFACTS", bucket)
    assert bad(tmp_path) == {}
    monkeypatch.setenv("ARTIFACTS", "s3://of-somebody-else/x")
    assert "AWS_PROFILE" in bad(tmp_path)["artifacts"]
    monkeypatch.setenv("ARTIFACTS", "ftp://x/y")
    assert "s3://bucket/prefix" in bad(tmp_path)["artifacts"]


@pytest.mark.parametrize("name", ["BRONZE", "GOLD", "SILVER"])
def test_each_place_is_looked_at(tmp_path, monkeypatch, bucket, name):
    monkeypatch.setenv(name, bucket)
    assert bad(tmp_path) == {}
    monkeypatch.setenv(name, "s3://of-somebody-else/x")
    assert "AWS_PROFILE" in bad(tmp_path)[name.lower()]
    monkeypatch.setenv(name, "ftp://x/y")
    assert f"{name} is ftp://x/y: write a folder or s3://bucket/prefix" in bad(tmp_path)[name.lower()]
    monkeypatch.setenv(name, str(tmp_path / "shared"))
    assert bad(tmp_path) == {}
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(name, str(tmp_path / "file"))
    assert f"{name.lower()} would not be kept" in bad(tmp_path)[name.lower()]


@pytest.mark.parametrize("events", ["{here}/nothing", "csv:{here}/nothing", "github:pallets/flask; {here}/nothing"])
def test_events_that_are_no_folder_are_said_to_be(tmp_path, monkeypatch, events):
    monkeypatch.setenv("EVENTS", events.format(here=tmp_path))
    assert "EVENTS=sample" in bad(tmp_path)["events"]


@pytest.mark.parametrize("events", ["github:pallets/flask", "csv:{here}", "{here}; github:pallets/flask,pallets/click"])
def test_every_way_to_name_events_is_known(tmp_path, monkeypatch, events):
    monkeypatch.setenv("EVENTS", events.format(here=tmp_path))
    assert bad(tmp_path) == {}


def test_a_source_of_no_kind_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTS", "github:flask")
    assert "write owner/name" in bad(tmp_path)["events"]


def test_env_gives_each_secret_a_value_once_and_keeps_what_is_there(tmp_path):
    path = tmp_path / ".env"
    path.write_text("ROUTER_PORT=7100\nPOSTGRES_PASSWORD=mine\nSPLIT_SALT=changeme\n")
    made = write(path)
    text = path.read_text()
    assert "POSTGRES_PASSWORD=mine" in text
    assert "ROUTER_PORT=7100" in text
    assert "changeme" not in text
    assert "POSTGRES_PASSWORD" not in made
    assert "PREDICTION_SECRET" in made
    assert path.stat().st_mode & 0o077 == 0
    assert write(path) == []
    assert path.read_text() == text


@pytest.mark.parametrize("line", ['POSTGRES_PASSWORD="changeme"', "export POSTGRES_PASSWORD=changeme  # mine"])
def test_env_knows_an_example_however_it_is_written(tmp_path, line):
    """It said that every secret was there, and no container started."""
    (tmp_path / ".env").write_text(f"{line}\nSPLIT_SALT='mine # and mine'\n")
    assert {"POSTGRES_PASSWORD"} <= set(write(tmp_path / ".env"))
    text = (tmp_path / ".env").read_text()
    assert "changeme" not in text
    assert text.startswith("SPLIT_SALT='mine # and mine'\n")
    assert text.count("SPLIT_SALT") == 1


def test_a_stack_that_was_stopped_leaves_addresses_where_nobody_has_to_answer(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    nowhere = f"127.0.0.1:{free_port()}"
    (home / "stack.env").write_text(
        f"DATABASE_URL='postgresql://ratchet:x@{nowhere}/ratchet'\nMLFLOW_TRACKING_URI='http://{nowhere}'\n"
        f"PROMETHEUS_URL='http://{nowhere}'\n"
    )
    monkeypatch.setenv("DATA_HOME", str(home))
    assert {"database", "MLflow", "Prometheus"}.isdisjoint(bad(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    assert "MLFLOW_TRACKING_URI leads to" in bad(tmp_path)["MLflow"]
