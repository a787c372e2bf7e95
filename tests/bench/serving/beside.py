"""What is started beside the real service, to be asked in the same way: peers with their own servers, and changes of our own."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import closed

from ratchet.stack.ports import free_port
from ratchet.stack.services import tool

HERE = Path(__file__).resolve().parent
IDS = tuple(f"north/{number:05d}" for number in range(500))
PEERS = Path(os.environ.get("PEERS", ".ratchet/peers")) / "bin"


@dataclass(frozen=True)
class Target:
    """Something that answers, and the script that asks it."""

    address: str
    lua: Path
    connections: int = closed.CONNECTIONS


@contextmanager
def application(rig, name, *, module=None, command=None, path="/", body=closed.ONE, **environment):
    """Another application beside the real one, under the same gunicorn configuration unless it brings a server of its own."""
    port, service = free_port(), f"inference-production+{name}"
    given = command or [tool("gunicorn"), "-c", "inference/gunicorn_conf.py", f"{module or name}:application"]
    given = [part.replace("PORT", str(port)) if part == "PORT" else part for part in given]
    own = {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE / "peers"), "src", "."]), **environment}
    own["BENCH_RELEASE"] = str(rig.stack.home.folder / "artifacts" / "r1")
    (rig.stack.home.run / f"counts-{service}").mkdir(exist_ok=True)
    rig.start(service, command=given, port=port, **own)
    try:
        rig.wait_port(port, timeout=60)
        lua = closed.script(rig.stack.home.folder, name, ids=IDS, key=rig.key, path=path, body=body)
        wait_for_answer(port, path, body, rig.key)
        yield Target(f"http://127.0.0.1:{port}", lua)
    except (TimeoutError, subprocess.CalledProcessError):
        print((rig.stack.home.logs / f"{service}.log").read_text()[-3000:])
        raise
    finally:
        rig.stop(service, timeout=30)


def wait_for_answer(port, path, body, key):
    """Return once one question of the script is answered; wrk would only count what went wrong."""
    text = body.strip("'").replace("' .. id .. '", IDS[0])
    command = ["curl", "-fsS", "--retry", "60", "--retry-delay", "1", "--retry-all-errors", "-o", os.devnull]
    command += ["-H", f"X-API-Key: {key}", "-H", "Content-Type: application/json", "-d", text]
    subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True)


def uvicorn(_rig, workers=1, application="fastapi_lookup"):
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [tool("uvicorn"), f"{application}:application", "--port", "PORT", "--workers", str(workers), *options]


def answers(rig):
    """The look-up's answers as JSON, for peers that cannot open a release."""
    target = rig.stack.home.folder / "answers.json"
    week = {"mean": 10.5, "median": 10.0, "lo_80": 9.0, "hi_80": 11.0, "lo_95": 8.0, "hi_95": 12.25}
    weeks = [{"week": f"2026-11-{day:02d}", **week} for day in range(8, 20)]
    target.write_text(json.dumps({name: {"sent": weeks, "lost": weeks} for name in IDS}))
    return target


def save_mlflow_model(rig):
    target = rig.stack.home.folder / "mlflow-model"
    if not target.exists():
        command = [sys.executable, HERE / "peers" / "mlflow_model.py", answers(rig), target]
        subprocess.run(command, check=True, capture_output=True)
    return str(target)


def mlflow_serve(workers):
    """Return what `mlflow models serve --env-manager local` becomes, with uvloop and httptools."""
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [
        tool("uvicorn"),
        "mlflow.pyfunc.scoring_server.app:app",
        "--port",
        "PORT",
        "--workers",
        str(workers),
        *options,
    ]


def bento_serve():
    if not (PEERS / "bentoml").exists():
        raise SystemExit(f"{PEERS} has no bentoml: `make peers` installs it")
    return [
        str(PEERS / "bentoml"),
        "serve",
        "bento_service:Lookup",
        "--port",
        "PORT",
        "--working-dir",
        str(HERE / "peers"),
    ]
