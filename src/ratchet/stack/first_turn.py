"""The first turn of the loop, made by the real DAGs: ingest, a first release in production, a candidate on trial."""

import json
from collections.abc import Callable
from typing import Any
from urllib import error, request

from ratchet import workloads
from ratchet.contracts.workload import Workload
from ratchet.serve.split import FlagFileSplit
from ratchet.stack import api_keys
from ratchet.stack.airflow import Airflow
from ratchet.stack.health import answers, wait_for
from ratchet.stack.progress import Progress
from ratchet.stack.services import Stack

_DAG_SECONDS = 300
_LONG_SECONDS = 60
_SWAP_SECONDS = 30


def airflow(stack: Stack) -> Airflow:
    """A client of the stack's Airflow."""
    return Airflow(address=f"http://127.0.0.1:{stack.settings.airflow_port}", password=stack.secrets.airflow_password)


def run(stack: Stack, progress: Progress, *, still: Callable[[], object]) -> None:
    """Ingest, train and register through Airflow until a release answers on each track, or `still` raises."""
    client, workload = airflow(stack), first_workload(stack)
    put_into_production(client, workload, progress)
    wait_for_forecast(stack, progress)
    put_on_trial(client, workload, progress)
    with progress.step("CO1 answers on the candidate track"):
        ready = f"http://127.0.0.1:{stack.settings.candidate_port}/api/ready"
        wait_for(
            "the candidate track",
            lambda: answers(ready),
            timeout=_SWAP_SECONDS,
            look="`make logs S=inference-candidate`",
        )
    _wait_for_clients(stack, progress, workload.name, still)
    for dag_id in later(workload):
        client.unpause(dag_id)


def later(workload: Workload) -> list[str]:
    """The DAGs that have nothing to do before a candidate is on trial."""
    kinds = ("refresh_forecasts", "evaluate_ab", "approve_promotion", "monitor_drift", "describe_gold")
    return [*map(workload.dag_id, kinds), "decide_by_hand"]


def put_into_production(client: Airflow, workload: Workload, progress: Progress) -> None:
    """Ingest, train and register the first release through Airflow."""
    ingest, train = (workload.dag_id(kind) for kind in ("ingest", "train_candidate"))
    with progress.step("Airflow reads dags/"):
        read = [ingest, train, *later(workload)]
        wait_for(
            "the DAGs",
            lambda: all(map(client.knows, read)),
            timeout=_DAG_SECONDS,
            look="`make logs S=airflow-dag-processor`",
        )
    _turn(client, progress, ingest, "the events become bronze, silver and gold")
    _turn(client, progress, train, "a first, simple release goes into production: BO1", reason="first release")


def put_on_trial(client: Airflow, workload: Workload, progress: Progress) -> None:
    """Train and register the first candidate through Airflow."""
    train = workload.dag_id("train_candidate")
    _turn(client, progress, train, "the first candidate goes on trial: CO1", reason="first candidate")


def _wait_for_clients(stack: Stack, progress: Progress, workload: str, still: Callable[[], object]) -> None:
    """Return when the candidate has its first share of the clients."""
    split = FlagFileSplit(stack.home.weights)
    with progress.step("the guard warms CO1 up with replayed requests, then gives it its first clients"):
        wait_for(
            "the candidate's share",
            lambda: split.share() > 0,
            timeout=_DAG_SECONDS,
            look="`make logs S=guard`",
            still=still,
        )
    progress.note(f"{split.share()} % of the clients of {workload} meet the candidate from now on")


def _turn(client: Airflow, progress: Progress, dag_id: str, what: str, **conf: Any) -> None:  # noqa: ANN401  # a DAG's own parameters
    with progress.step(f"Airflow runs {dag_id}: {what}"):
        run = client.trigger(dag_id, conf)  # before its schedule may run: one at a time, and this one is waited for
        client.unpause(dag_id)
        client.wait(dag_id, run, timeout=_DAG_SECONDS, long=_LONG_SECONDS, tell=progress.note)


def wait_for_forecast(stack: Stack, progress: Progress) -> None:
    """Return when the router has answered a forecast."""
    with progress.step("first forecast through the router"):
        key = api_keys.of_home(stack.home, stack.shared_environment).predict
        wait_for(
            "a forecast",
            lambda: forecast(stack, key) is not None,
            timeout=_SWAP_SECONDS,
            look="`make logs S=inference-production`",
        )


def first_workload(stack: Stack) -> Workload:
    """The workload that examples are about: the first of the setting WORKLOADS."""
    return workloads.find(stack.settings.workloads.split(",")[0])


def example(stack: Stack, key: str) -> tuple[str, dict[str, Any]] | None:
    """The path and body of a request that a newcomer can send: the first series that is served; None while there is none."""
    workload = first_workload(stack)
    answer = _call(stack, key, f"/api/{workload.name}/series?limit=1")
    if not answer or not answer["series"]:
        return None
    return f"/api/{workload.name}/predict", {**answer["series"][0], "horizon": 4}


def forecast(stack: Stack, key: str) -> dict[str, Any] | None:
    """The answer to the example request through the router, or None while there is none."""
    found = example(stack, key)
    return _call(stack, key, *found) if found else None


def release(stack: Stack, key: str) -> dict[str, Any] | None:
    """What is told of the release that answers, or None while there is none."""
    return _call(stack, key, f"/api/{first_workload(stack).name}/release")


def _call(stack: Stack, key: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
    address = f"http://127.0.0.1:{stack.settings.router_port}{path}"
    headers = {"Content-Type": "application/json", "X-API-Key": key}
    call = request.Request(
        address, data=json.dumps(body).encode() if body else None, headers=headers
    )  # our own address
    try:
        with request.urlopen(call, timeout=5) as answer:  # noqa: S310
            result: dict[str, Any] = json.load(answer)
            return result
    except (error.URLError, OSError):
        return None
