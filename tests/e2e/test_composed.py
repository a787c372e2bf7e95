"""What only containers promise: they are closed, they come back, they follow aliases, and nothing but the front is published."""

import json
import os
import subprocess
import time
from urllib.parse import quote
from urllib.request import Request, urlopen

import psycopg2
import pytest
from psycopg2 import sql

from composed import FOLDER, ROOT, docker
from people import Person, SteadyLoad
from ratchet.stack import first_turn
from ratchet.stack.health import answers, wait_for

pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="containers: `make compose-test` starts them"),
    pytest.mark.timeout(300),
]

OURS = (
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "inference-production",
    "inference-candidate",
    "mlflow",
    "router",
    "guard",
    "dashboard",
    "exporter",
    "reports",
)


def inspect(house, service):
    return json.loads(docker("inspect", house.container(service)))[0]


@pytest.mark.parametrize("service", OURS)
def test_a_container_is_closed(house, service):
    found = inspect(house, service)
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["Privileged"] is False
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert not [mount for mount in found["Mounts"] if "docker.sock" in mount["Source"]]
    assert docker("exec", found["Id"], "id", "-u").strip() == "10001"


@pytest.mark.parametrize("service", OURS)
def test_no_compiler_is_inside(house, service):
    script = "command -v gcc cc g++ make ld || true"
    assert docker("exec", house.container(service), "sh", "-c", script) == ""


def test_an_image_says_what_it_is(house):
    for service in OURS:
        labels = inspect(house, service)["Config"]["Labels"]
        assert labels["org.opencontainers.image.title"].startswith("ratchet-")
        assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_inference_carries_what_serving_loads_and_little_else(house):
    """A library that serving never imports, such as a runtime for models, was a third of it once. 67 MB are DuckDB, which reads gold."""
    megabytes = docker("exec", house.container("inference-production"), "du", "-sm", "/opt/ratchet").split()[0]
    assert int(megabytes) <= 230


def test_only_the_front_is_published(house):
    services = docker(
        "ps", "--filter", f"label=com.docker.compose.project={project(house)}", "--format", "{{.Names}} {{.Ports}}"
    )
    published = [line.split()[0] for line in services.splitlines() if "->" in line]
    fronts = ("router", "airflow-api-server", "mlflow", "prometheus", "alertmanager", "dashboard", "reports")
    for_tests = ("postgres", "inference-production", "inference-candidate", "bucket")  # published for the tests alone
    assert all(any(name in line for name in (*fronts, *for_tests)) for line in published), published


def project(house):
    return inspect(house, "router")["Config"]["Labels"]["com.docker.compose.project"]


def asked(house, query):
    address = f"http://127.0.0.1:{house.stack.settings.prometheus_port}/api/v1/query?query={quote(query)}"
    with urlopen(address, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def test_prometheus_scrapes_every_part(house):
    parts = {"inference-production", "inference-candidate", "reports", "exporter", "prometheus", "alertmanager"}
    wait_for(
        "every part",
        lambda: parts <= {one["metric"]["part"] for one in asked(house, "up == 1")},
        timeout=60,
        look="Prometheus",
    )


@pytest.mark.parametrize(
    "query",
    [
        "ratchet_router_requests_total > 0",
        'airflow_heartbeats_total{part="scheduler"} > 0',
        'ratchet_experiment_open{workload="github_activity"}',
        "ratchet_candidate_share",
        'ratchet_gold_rows{workload="github_activity"} > 0',
    ],
)
def test_neighbours_without_metrics_are_asked_by_the_exporter(house, query):
    wait_for(query, lambda: asked(house, query), timeout=90, look="the exporter's log")


def test_the_dashboard_answers_and_holds_no_password(house):
    assert answers(f"http://127.0.0.1:{house.stack.settings.dashboard_port}/_stcore/health", timeout=5)
    given = inspect(house, "dashboard")["Config"]["Env"]
    assert not [line for line in given if line.startswith(("DATABASE_URL=", "PREDICTION_SECRET="))]


def test_a_candidate_that_dies_costs_no_request_and_comes_back(house):
    before = inspect(house, "inference-candidate")["RestartCount"]
    docker("exec", house.container("inference-candidate"), "sh", "-c", "kill -9 -1 || true")
    failed = 0
    for number in range(200):
        person = Person(house.stack.settings.router_port, house.keys["predict"], f"dead-{number}")
        failed += person.ask()[0] != 200
        person.leave()
    assert failed == 0
    wait_for(
        "the candidate",
        lambda: inspect(house, "inference-candidate")["RestartCount"] > before,
        timeout=30,
        look="docker",
    )


def test_a_track_at_another_address_is_found_without_a_restart_of_the_router(house):
    def address():
        return next(iter(inspect(house, "inference-production")["NetworkSettings"]["Networks"].values()))["IPAddress"]

    def track_of(user):
        person = Person(house.stack.settings.router_port, house.keys["predict"], user)
        try:
            return person.ask()[1].get("X-Track")
        finally:
            person.leave()

    user = next(f"user-{number}" for number in range(50) if track_of(f"user-{number}") == "production")
    router, old = inspect(house, "router")["State"]["StartedAt"], address()
    network = next(iter(inspect(house, "router")["NetworkSettings"]["Networks"]))
    container = house.container("inference-production")
    docker("network", "disconnect", network, container)
    image = inspect(house, "router")["Image"]
    squatter = docker("run", "-d", "--rm", "--network", network, "--entrypoint", "sleep", image, "120").strip()
    try:
        docker("network", "connect", "--alias", "inference-production", network, container)
        assert address() != old
        wait_for("the moved track", lambda: track_of(user) == "production", timeout=30, look="the router")
        assert inspect(house, "router")["State"]["StartedAt"] == router
    finally:
        docker("kill", squatter)


def production(house):
    """What the production track says of its release: its id, the number of its issue, and the day that it is as of."""
    address = f"http://127.0.0.1:{house.stack.settings.production_port}/api/github_activity/release"
    with urlopen(Request(address, headers={"X-API-Key": house.keys["predict"]}), timeout=5) as answer:
        said = json.load(answer)
    return said["release_id"], said["issue"], said["data_hour"][:10]


def test_a_week_that_lands_later_is_forecast_from_without_a_failed_request(house):
    """The stack was started with `EVENTS_TO` before the sample's last week."""
    release_id, *issued = production(house)
    assert issued == [1, "2026-11-11"]
    client = first_turn.airflow(house.stack)
    with SteadyLoad(house.stack.settings.router_port, house.keys["predict"]) as load:
        ingest = ("exec", "-T", "-e", "EVENTS_TO=", "airflow-scheduler", "ratchet", "ingest", "github_activity")
        house.compose(*ingest, timeout=180)
        client.wait("refresh_forecasts", client.trigger("refresh_forecasts"), timeout=120)
        expected = (release_id, 2, "2026-11-16")
        wait_for("the new issue", lambda: production(house) == expected, timeout=30, look="MLflow")
    assert load.failed == []


def lines_of(kind):
    text = (ROOT / "docs" / "backup.md").read_text().partition(f"```sh {kind}\n")[2].partition("```")[0]
    return text.replace("docker compose", os.environ["COMPOSE"]).splitlines()


def count(house, database, table):
    connection = psycopg2.connect(house.stack.postgres.uri(database), connect_timeout=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            return cursor.fetchone()[0]
    finally:
        connection.close()


def test_what_was_backed_up_is_restored_with_the_guides_lines(house, tmp_path):
    def run(line):
        line = line.replace(" > ", f" > {tmp_path}/").replace(" < ", f" < {tmp_path}/")
        done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"

    for line in lines_of("backup"):
        run(line)
    before = {pair: count(house, *pair) for pair in (("ratchet", "looks"), ("ratchet", "feedback"), ("mlflow", "runs"))}
    stop, *restore, start = lines_of("restore")
    run(stop)
    for database in ("ratchet", "mlflow"):
        wipe = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        docker("exec", house.container("postgres"), "psql", "-qU", "ratchet", "-d", database, "-c", wipe)
    house.compose("run", "--rm", "-T", "--entrypoint", "sh", "init", "-c", "rm -rf /artifacts/* /data/bundles")
    for line in restore:
        run(line)
    run(start)
    assert {pair: count(house, *pair) for pair in before} == before
    person = Person(house.stack.settings.router_port, house.keys["predict"], "after-the-restore")

    def asked():
        try:
            return person.ask()[0] == 200
        except OSError:
            person.leave()
            return False

    wait_for("a forecast", asked, timeout=90, look="the router")
    person.leave()


def test_inference_is_ready_soon_after_its_start(house):
    ready = f"http://127.0.0.1:{house.stack.settings.candidate_port}/api/health"
    container = house.container("inference-candidate")
    docker("stop", container)
    docker("start", container)
    begin = time.monotonic()
    wait_for("the candidate", lambda: answers(ready, timeout=0.5), timeout=30, look="docker")
    seconds = time.monotonic() - begin
    assert seconds < 10, seconds  # 3 s on a quiet machine: docs/cloud.md has the measured figure


def test_tasks_ran_on_celery_and_families_were_validated_on_dask(house):
    """The first candidate may have been trained before the profiles came up: with jobs that nobody has done yet it is certain."""
    recipe = ["--recipe", "naive,seasonal_naive,theta", "--reason", "to see who validates"]
    docker("exec", house.container("airflow-worker"), "ratchet", "train", *recipe)
    worker = docker("logs", house.container("airflow-worker"))
    assert "train_candidate" in worker + docker_errors(house, "airflow-worker")
    scheduler = docker_errors(house, "dask-scheduler") + docker("logs", house.container("dask-scheduler"))
    assert "Register worker" in scheduler
    assert "Receive client connection" in scheduler


def test_a_training_was_shared_out_over_tasks(house):
    counted = "SELECT count(*) FROM task_instance WHERE dag_id = 'train_candidate' AND task_id = 'validate' AND state = 'success'"
    shares = docker("exec", house.container("postgres"), "psql", "-U", "ratchet", "-d", "airflow", "-Atc", counted)
    assert int(shares) >= 2


def docker_errors(house, service):
    """What a service said on its second stream."""
    command = ["docker", "logs", house.container(service)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr
