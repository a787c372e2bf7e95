"""Compose files: every container is closed and limited, nothing but the front is published, settings are those of .env.example."""

import re
from pathlib import Path

import pytest
import yaml

from ratchet.stack.container_settings import ContainerSettings

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yaml", "docker-compose.ab.yml", "monitoring/docker-compose.monitoring.yml")
TEXT = "\n".join((ROOT / name).read_text() for name in FILES)
LISTED = {
    line.partition("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"[A-Z_]+=", line)
}
# What programs that are not ours, boto3 and the router's template read.
OTHERS = ("AWS_", "MLFLOW_", "GF_", "POSTGRES_", "SALT", "PRODUCTION", "CANDIDATE", "GITHUB_TOKEN")
FRONT = {"router", "airflow-api-server", "mlflow", "dashboard", "prometheus", "alertmanager", "grafana", "reports"}


@pytest.fixture(scope="module")
def services():
    """The services of each file; what an overlay only changes is left out."""
    files = [yaml.safe_load((ROOT / name).read_text())["services"] for name in FILES]
    return {name: values for found in files for name, values in found.items() if "image" in values}


def test_everything_that_the_loop_needs_is_here(services):
    loop = {"postgres", "mlflow", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "init", "router"}
    assert loop | {"inference-production", "inference-candidate", "dashboard", "guard"} <= set(services)
    assert {"redis", "airflow-worker", "dask-scheduler", "dask-worker", "prometheus", "alertmanager", "grafana"} <= set(
        services
    )


def test_every_container_is_closed_and_limited(services):
    for name, values in services.items():
        assert values["read_only"] is True, name
        assert values["cap_drop"] == ["ALL"], name
        assert values["security_opt"] == ["no-new-privileges:true"], name
        assert values["mem_limit"], name
        assert values["cpus"], name
        assert values["restart"] in {"unless-stopped", "on-failure", "no"}, name
        assert values["networks"] == ["inside"], name


def test_nothing_but_the_front_is_published_and_that_on_one_address(services):
    published = {name for name, values in services.items() if "ports" in values}
    assert published == FRONT
    for name in published:
        assert all(port.startswith("${PUBLISH:-127.0.0.1}:") for port in services[name]["ports"]), name


def test_no_container_gets_the_engine():
    assert "docker.sock" not in TEXT
    assert "privileged" not in TEXT


def test_settings_are_those_that_the_example_lists(services):
    for name, values in services.items():
        given = set(values.get("environment", {}))
        unknown = {setting for setting in given - LISTED if not setting.startswith(OTHERS)}
        assert unknown == set(), name


def test_the_loop_knows_how_many_workers_have_to_serve_what_it_promotes(services):
    said = {
        services[name]["environment"].get("WEB_WORKERS")
        for name in ("guard", "airflow-scheduler", "inference-production", "inference-candidate")
    }
    assert said == {"${WEB_WORKERS:-1}"}


def test_the_router_is_told_of_proxies_and_a_wrong_one_is_refused_before_anything_starts(services):
    for name in ("router", "check"):
        assert services[name]["environment"]["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-}"


def test_every_secret_is_demanded_and_checked_before_anything_starts(services):
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?run make env\}", TEXT))
    secrets = {name.upper() for name in ContainerSettings.secrets()} | {"PREDICTION_SECRET"}
    assert demanded == secrets
    assert secrets - {"PREDICTION_SECRET"} <= set(services["check"]["environment"])
    assert services["postgres"]["depends_on"] == {"check": {"condition": "service_completed_successfully"}}


def test_what_needs_another_waits_until_it_is_well(services):
    for name, values in services.items():
        for other, how in values.get("depends_on", {}).items():
            assert how["condition"] in {"service_healthy", "service_completed_successfully", "service_started"}, (
                name,
                other,
            )
            if how["condition"] == "service_healthy":
                dockerfile = services[other].get("build", {}).get("dockerfile") or "inference/Dockerfile"
                assert "healthcheck" in services[other] or "HEALTHCHECK" in (ROOT / dockerfile).read_text(), other


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("*/Dockerfile"), *ROOT.glob("monitoring/*/Dockerfile"), *ROOT.glob("containers/*.Dockerfile")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_an_image_runs_as_nobody_in_particular_and_says_what_it_is(path):
    text = path.read_text()
    last = text[text.rindex("\nFROM ") :]
    assert "USER 10001:10001" in last
    assert "org.opencontainers.image.title" in last
    assert "org.opencontainers.image.revision" in last
    assert not re.search(r"gcc|build-essential", text)
