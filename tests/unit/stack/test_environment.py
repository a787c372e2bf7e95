"""What a process of the stack finds in its environment."""

import subprocess
import sys

import pytest

from ratchet.settings import Settings
from ratchet.stack import environment


def test_every_setting_reaches_every_process(make_stack):
    stack = make_stack(rate_limit_per_key=7, log_fsync=True)
    values = environment.shared(stack.settings, stack.secrets, stack.postgres)
    assert {name.upper() for name in Settings.model_fields} - set(values) == {"TRACK"}
    assert (values["RATE_LIMIT_PER_KEY"], values["LOG_FSYNC"]) == ("7", "True")


def test_what_a_process_reads_is_what_was_set(make_stack, monkeypatch):
    stack = make_stack(poll_seconds=3.5, policy='{"mode": "spec"}')
    for name, value in environment.shared(stack.settings, stack.secrets, stack.postgres).items():
        monkeypatch.setenv(name, value)
    read = Settings(_env_file=None)
    assert (read.poll_seconds, read.policy, read.home) == (3.5, '{"mode": "spec"}', stack.settings.home)


@pytest.mark.parametrize("said", ["slack://it's", "ends in \\", "both ' and \"", "C:\\new"])
def test_a_shell_reads_every_setting_as_it_was_written(make_stack, said):
    stack = make_stack()
    environment.write(stack.home, {"NOTIFY_URLS": said, "POLL_SECONDS": "3.5"})
    read = Settings(_env_file=stack.home.environment)
    assert (read.notify_urls.get_secret_value(), read.poll_seconds) == (said, 3.5)


def test_whoever_reads_releases_in_a_bucket_may_open_it(make_stack, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ours")
    by_name = {service.name: service.environment for service in make_stack(artifacts="s3://bucket/releases").services()}
    assert {name for name, found in by_name.items() if found.get("AWS_ACCESS_KEY_ID") == "ours"} >= {
        "mlflow",
        "inference-production",
        "inference-candidate",
        "guard",
        "airflow-scheduler",
    }
    on_disk = {service.name: service.environment for service in make_stack().services()}
    assert "AWS_ACCESS_KEY_ID" not in on_disk["inference-production"]


def test_tokens_and_proxies_reach_what_lands_events_and_nobody_else(make_stack, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("AWS_PROFILE", "ours")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    stack = make_stack()
    airflow = stack.airflow_environment
    assert (airflow["GITHUB_TOKEN"], airflow["AWS_PROFILE"]) == ("hunter2", "ours")
    assert airflow["HTTPS_PROXY"] == "http://proxy.example.org:3128"
    assert "SOMETHING_ELSE" not in airflow
    by_name = {service.name: service.environment for service in stack.services()}
    assert {name for name, found in by_name.items() if "HTTPS_PROXY" in found and not name.startswith("airflow")} == {
        "guard"  # it tells people of its verdicts
    }
    assert {name for name, found in by_name.items() if "GITHUB_TOKEN" in found} == {
        "airflow-api-server",
        "airflow-scheduler",
        "airflow-dag-processor",
    }


def test_airflow_is_told_every_folder_that_it_would_note_down_for_good(make_stack):
    """It writes an airflow.cfg with full paths once; a home that was moved since would be made anew where it was."""
    stack = make_stack()
    cfg = stack.home.airflow / "airflow.cfg"
    of_airflow = "from airflow import configuration as airflow;"

    def told(script):
        command = [sys.executable, "-W", "ignore", "-c", of_airflow + script]
        done = subprocess.run(command, env=stack.airflow_environment, capture_output=True, text=True, check=True)
        return done.stdout

    told("airflow.write_default_airflow_configuration_if_needed()")
    text = cfg.read_text()
    cfg.write_text(text.replace(str(stack.home.airflow), "/where/it/was"))
    assert "/where/it/was/logs/dag_processor" in cfg.read_text()
    assert "/where/it/was" not in told("print(airflow.conf.as_dict(display_sensitive=True))")
