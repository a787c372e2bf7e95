"""dbt that is loaded and has read the models once: of seven CPU seconds for a build in an empty home two and a half are left.

Each start (`dbt_client`) is the same `dbt_process.py` in a fork of its own, with the descriptors, folder and environment that it was
started with.
"""

import json
import os
import runpy
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from select import select

import pytest

PROGRAM = "ratchet.ingest.warehouse.dbt._DBT"
PARSED = "partial_parse.msgpack"


@contextmanager
def running(place: Path) -> Iterator[tuple[str, ...]]:
    """A server that has read the workload's models, until the end: the words that start a client in dbt's stead."""
    from ratchet import workloads  # noqa: PLC0415  # the server needs none of this
    from ratchet.ingest.warehouse.dbt import SHELL, Project  # noqa: PLC0415
    from ratchet.stack.health import wait_for  # noqa: PLC0415

    project = Project(workload=workloads.find("github_activity"), place=place)
    project.assemble()
    address = place / "socket"
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            program = str(SHELL / "dbt_process.py")
            patch.setattr(PROGRAM, (sys.executable, "-P", __file__, str(address), program))
            stack.enter_context(project.prepared("build"))
        wait_for("dbt", address.exists, timeout=120, look="tests/dbt_server.py")
        yield (sys.executable, "-I", "-S", str(Path(__file__).with_name("dbt_client.py")), str(address))


def serve(address: str, program: str, words: list[str]) -> None:
    """Load dbt and have it read the project, then fork for each start, as long as the one who started this is there."""
    sys.stdin = StringIO()  # nobody waits any more: all is read, and nothing is done
    assert run(program, words) == 0
    import_module("pandas")  # the model in Python asks for it

    parsed = Path(value_of("--target-path", words)) / PARSED
    signal.signal(signal.SIGCHLD, collect)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen()
        Path(f"{address}.new").rename(address)
        while select([listener, 0], [], [])[0] == [listener]:
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                be_started(client, program, parsed)
            client.close()


def be_started(client: socket.socket, program: str, parsed: Path) -> None:
    """Be what the client was to start, and tell it how that ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, *_ = socket.recv_fds(client, 1, 3)
    for at, file in enumerate(files):
        os.dup2(file, at)
        os.close(file)
    sys.stdin = os.fdopen(0)
    folder, environment, words = json.loads(client.makefile().readline())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    target = Path(value_of("--target-path", words))
    if not (target / PARSED).exists():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(parsed, target / PARSED)
    ended = run(program, words)
    sys.stdout.flush()
    client.sendall(bytes([ended]))
    os._exit(0)


def run(program: str, words: list[str]) -> int:
    """Run a program as if it had been started; what it ends with."""
    sys.argv = [program, *words]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # noqa: BLE001  # whatever would have ended the program
        traceback.print_exc()
        return 1
    return 0


def collect(*_: object) -> None:
    """Let no fork stay behind, and count what it took as the server's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def value_of(option: str, words: list[str]) -> str:
    return words[words.index(option) + 1]


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.argv[3:])
