"""What a container refuses to start with, and what it gives the programs that it becomes."""

import subprocess
import sys

import pytest
import yaml

from ratchet.contracts.errors import RatchetError
from ratchet.stack import contained
from ratchet.stack.container_settings import ContainerSettings, database_uri
from ratchet.stack.env_file import new_secrets

URL = "postgresql://ratchet:p%40ss@postgres:5432/ratchet"


@pytest.fixture
def whole(tmp_path):
    """Every setting that a container of the loop is given."""
    secrets = new_secrets()
    return {
        **secrets,
        "DATABASE_URL": URL,
        "DATA_HOME": str(tmp_path),
        "AIRFLOW_URL": "http://airflow-api-server:8080",
        "PATH": "/usr/bin:/bin",
    }


def start(service, values, cwd):
    command = [sys.executable, "-m", "ratchet.stack.contained", service]
    done = subprocess.run(command, env=values, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr.strip()


def test_a_whole_set_of_secrets_passes(whole, tmp_path):
    assert start("check", whole, tmp_path) == (0, "")


@pytest.mark.parametrize("value", ["changeme", ""])
@pytest.mark.parametrize("name", new_secrets())
def test_each_secret_is_refused_by_name_while_it_is_an_example(whole, name, value, monkeypatch):
    for key, known in {**whole, name: value}.items():
        monkeypatch.setenv(key, known)
    arguments = ["check"]
    assert contained.main(arguments) == 1


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "SPLIT_SALT"])
def test_a_password_that_would_break_the_address_it_stands_in_is_refused_by_name(whole, name, monkeypatch, capsys):
    for key, known in {**whole, name: "p@ss/wo#rd"}.items():
        monkeypatch.setenv(key, known)
    assert contained.main(["check"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"ratchet: check does not start: {name} may hold only letters, digits")
    assert "wo#rd" not in said


def test_a_refusal_is_one_line_without_a_value(whole, tmp_path):
    code, said = start("check", {**whole, "DATABASE_URL": "postgresql://u:changeme@h/ratchet"}, tmp_path)
    assert code == 1
    assert said.startswith("ratchet: check does not start: DATABASE_URL: ")
    assert "postgresql" not in said
    code, said = start("airflow-scheduler", {**whole, "AIRFLOW_FERNET_KEY": "short"}, tmp_path)
    assert (code, "AIRFLOW_FERNET_KEY must be 32 bytes" in said) == (1, True)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("POLICY", '{"mode": "spce"}', "POLICY"),
        ("WORKLOADS", "gihub", "WORKLOADS=gihub: no workload"),
        ("EVENTS", "github:flask", "owner/name"),
    ],
)
def test_a_setting_that_the_loop_cannot_read_is_refused_before_it_starts(whole, monkeypatch, capsys, name, value, says):
    for key, known in {**whole, name: value}.items():
        monkeypatch.setenv(key, known)
    assert contained.main(["check"]) == 1
    assert says in capsys.readouterr().err


def test_folders_are_for_the_containers_that_have_them(whole, monkeypatch):
    for key, known in {**whole, "EVENTS": "/only/the/loop/has/it"}.items():
        monkeypatch.setenv(key, known)
    assert contained.main(["check"]) == 0


def test_secrets_are_read_from_files_too(tmp_path, monkeypatch):
    (tmp_path / "airflow_password").write_text("from a file\n")
    monkeypatch.setattr("ratchet.stack.container_settings.SECRETS_FOLDER", str(tmp_path))
    assert ContainerSettings.load().airflow_password.get_secret_value() == "from a file"


def test_airflow_is_given_what_a_laptop_gives_it_with_other_neighbours(whole, monkeypatch):
    for name, value in whole.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:x@redis:6379/0")
    became = {}
    monkeypatch.setattr("os.execvpe", lambda _, command, values: became.update(command=command, values=values))
    contained.main(["airflow-worker"])
    assert became["command"] == ["airflow", "celery", "worker"]
    values = became["values"]
    assert values["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://ratchet:p%40ss@postgres:5432/airflow"
    assert values["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-api-server:8080/execution/"
    assert values["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert values["AIRFLOW__CELERY__RESULT_BACKEND"].startswith("db+postgresql+psycopg2://ratchet:p%40ss@")
    assert values["AIRFLOW__CORE__FERNET_KEY"] == whole["AIRFLOW_FERNET_KEY"]


def test_prometheus_reads_the_laptops_template_with_the_containers_addresses(whole, monkeypatch, tmp_path):
    for name, value in whole.items():
        monkeypatch.setenv(name, value)
    assert contained.main(["monitoring-config"]) == 0
    text = (tmp_path / "prometheus.yml").read_text()
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    assert jobs["inference-candidate"]["dns_sd_configs"][0]["names"] == ["inference-candidate"]
    assert {"target_label": "part", "replacement": "inference-candidate"} in jobs["inference-candidate"][
        "relabel_configs"
    ]
    assert "${" not in text
    assert (tmp_path / "rules.yml").exists()


def test_a_database_address_keeps_everything_but_its_name():
    assert database_uri(URL, "mlflow") == "postgresql://ratchet:p%40ss@postgres:5432/mlflow"
    with pytest.raises(RatchetError, match="DATABASE_URL must be set"):
        database_uri("", "mlflow")
