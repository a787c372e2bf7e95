"""supervisord: its configuration, and talking to it while it runs."""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from ratchet.contracts.errors import RatchetError
from ratchet.stack import launch, marks
from ratchet.stack.paths import Home
from ratchet.stack.services import Service

_AT_ONCE, _AND_WAIT = False, True
_CONFIGURATION = "supervisord.conf"
_SAME_FOR_ALL = (
    "autostart=false",
    "autorestart=true",
    "startsecs=2",
    "startretries=1000000",  # with a pause that grows: whoever is given up here is given up for good
    "stopwaitsecs=20",
    "killasgroup=true",
    "redirect_stderr=true",
    "stdout_logfile_maxbytes=10MB",
    "stdout_logfile_backups=2",
)


class StoppingError(RatchetError):
    """The supervisor is stopping everything, and takes no orders meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """One supervised process as supervisor sees it."""

    name: str
    state: str
    description: str
    pid: int


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The supervisor of one home."""

    home: Home

    @property
    def _socket(self) -> Path:
        return self.home.run / "supervisor.sock"

    def is_running(self) -> bool:
        """Whether it answers on its socket."""
        if not self._socket.exists():
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
        return True

    def configure(self, services: Sequence[Service]) -> None:
        """Write its configuration. Nothing starts by itself: `make up` starts each part when what it needs is there."""
        for service in services:
            marked = {**service.environment, marks.SERVICE_MARK: service.name}
            launch.prepare(self.home.run / service.name, service.command, marked)
        (self.home.run / _CONFIGURATION).write_text(
            "\n\n".join([_head(), *(_section(service) for service in services)]) + "\n"
        )

    def start_daemon(self) -> None:
        """Start it in the background; a `RatchetError` with its own words if it does not come up."""
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", _CONFIGURATION]
        done = subprocess.run(
            command,
            cwd=self.home.run,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, marks.HOME_MARK: str(self.home.folder)},
        )
        if done.returncode:
            raise RatchetError(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")
        end = time.monotonic() + 10
        while not self.is_running():
            if time.monotonic() > end:
                raise RatchetError(f"supervisord did not answer; see {self.home.logs / 'supervisord.log'}")
            time.sleep(0.1)

    def start(self, name: str) -> None:
        """Start a process; one that runs already is left alone."""
        try:
            with self._rpc() as rpc:
                rpc.startProcess(name, _AT_ONCE)
        except Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise RatchetError(f"{name} did not start: {fault.faultString}; see `make logs S={name}`") from fault

    def restart(self, name: str) -> None:
        """Stop a process, wait, start it again."""
        self.stop(name)
        self.start(name)

    def stop(self, name: str) -> None:
        """Stop a process and wait until it has ended; one that is stopped is left alone."""
        try:
            with self._rpc() as rpc:
                rpc.stopProcess(name, _AND_WAIT)
        except Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise RatchetError(f"no service is called {name}") from fault

    def states(self) -> list[ProcessState]:
        """Every process that the supervisor knows."""
        with self._rpc() as rpc:
            rows: list[dict[str, Any]] = rpc.getAllProcessInfo()
        return [
            ProcessState(name=row["name"], state=row["statename"], description=row["description"], pid=row["pid"])
            for row in rows
        ]

    def pid(self, name: str) -> int:
        """The process that a service is now; another one after it has ended, 0 while there is none."""
        return next((found.pid for found in self.states() if found.name == name), 0)

    def has_started_all(self) -> bool:
        """Whether every part has been started: a `make up` that was killed leaves some that nobody starts."""
        return all(found.state != "STOPPED" for found in self.states())

    def shut_down(self, *, timeout: float = 240) -> None:
        """Stop everything and return when nothing of this home runs any more, leftovers of a killed supervisor included.

        It stops one part after another; what does not end in time is ended with it. What is born meanwhile, of a `make up` that is
        at work, is ended too. A `RatchetError` names what was told to end and has not.
        """
        end = time.monotonic() + timeout
        while True:
            self._end(end)
            told = self.leftovers(supervised=True)
            if not told:
                return
            marks.stop(told, patience=10)
            if left := [one for one in self.leftovers(supervised=True) if one in told]:
                raise RatchetError(f"cannot be stopped: {', '.join(f'{one.name()} ({one.pid})' for one in left)}")

    def leftovers(self, *, supervised: bool = False) -> list[psutil.Process]:
        """Processes that carry this home's mark; those of a running supervisor only if `supervised`."""
        if self.is_running() and not supervised:
            return []
        return marks.processes(str(self.home.folder))

    def stop_leftovers(self) -> int:
        """Stop what a killed supervisor left behind; how many there were."""
        found = self.leftovers()
        marks.stop(found, patience=10)
        return len(found)

    def _end(self, end: float) -> None:
        if self.is_running():
            with suppress(StoppingError), self._rpc() as rpc:
                rpc.shutdown()
        while self.is_running() and time.monotonic() < end:
            time.sleep(0.2)

    @contextmanager
    def _rpc(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
        except Fault as fault:
            if "SHUTDOWN_STATE" in fault.faultString:
                raise StoppingError(
                    "Ratchet is being stopped just now; `make down` returns once all of it is"
                ) from fault
            raise
        except OSError as error:
            raise StoppingError(
                f"the supervisor has just ended ({error.strerror}); `make down` ends what it left"
            ) from error
        finally:
            transport.close()


def _head() -> str:
    """All paths are relative to the folder that supervisor runs in: what a home's own path may hold, it would read as its own signs."""
    user = "user=root\n" if os.geteuid() == 0 else ""
    return (
        f"[supervisord]\n{user}logfile=../logs/supervisord.log\npidfile=supervisord.pid\nchildlogdir=../logs\nminfds=4096\n\n"
        "[unix_http_server]\nfile=supervisor.sock\nchmod=0700\n\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface"
    )


def _section(service: Service) -> str:
    command = shlex.join([sys.executable, "-m", "ratchet.stack.launch", service.name]).replace("%", "%%")
    lines = [
        f"[program:{service.name}]",
        f"command={command}",
        f"directory={service.name}",
        f"stopsignal={service.stop_signal}",
        f"stopasgroup={_group(service)}",
        f"stdout_logfile=../logs/{service.name}.log",
        *_SAME_FOR_ALL,
    ]
    return "\n".join(lines)


def _group(service: Service) -> str:
    """A signal to the whole group suits process trees; PostgreSQL and nginx stop their own children in order."""
    return "false" if service.name in ("postgres", "router") or service.name.startswith("inference") else "true"
