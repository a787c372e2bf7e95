"""Airflow as its users reach it: the REST API, with a token."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib import error, request

from ratchet.contracts.errors import RatchetError


@dataclass(slots=True)
class Airflow:
    """A client of one Airflow."""

    address: str
    password: str
    user: str = "admin"
    patience: float = 30
    """Seconds that one answer may take."""
    _token: str = field(default="", repr=False)

    def knows(self, dag_id: str) -> bool:
        """Whether the DAG has been read and saved, as far as Airflow says in time."""
        try:
            self._call("GET", f"/api/v2/dags/{dag_id}")
        except (NotFoundError, LateError):
            return False
        return True

    def unpause(self, dag_id: str) -> None:
        """Let its schedule run."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run now; its id."""
        run = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def failed_task(self, dag_id: str, run_id: str) -> str:
        """The name of a run's first failed task, for the message that a person reads."""
        tasks = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return next((str(task["task_id"]) for task in tasks if task["state"] == "failed"), "a task")

    def is_running(self, dag_id: str) -> bool:
        """Whether any run of the DAG is at work: one that an earlier, interrupted start left goes before a new one."""
        return bool(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns?state=running&limit=1")["dag_runs"])

    def wait(
        self, dag_id: str, run_id: str, *, timeout: float, long: float = math.inf, tell: Callable[[str], None] = print
    ) -> None:
        """Return when the run has succeeded; a `RatchetError` that says where to look if it failed.

        It may take as long as it needs: only for `timeout` seconds nobody takes it up, or Airflow is too busy to say. After `long` seconds
        `tell` hears where its log is.
        """
        begin = busy = time.monotonic()
        log = f"airflow/logs/dag_id={dag_id}/run_id={run_id} in DATA_HOME"
        while (state := self._state(dag_id, run_id)) != "success":
            now = time.monotonic()
            if state == "failed":
                where = f"{self.address}/dags/{dag_id}/runs/{run_id}"
                raise RatchetError(
                    f"DAG {dag_id} failed in {self.failed_task(dag_id, run_id)}: {where} (its log: {log})"
                )
            if state == "running":
                busy = now
            if now - busy > timeout:
                raise RatchetError(
                    f"DAG {dag_id}: nobody took its run up for {timeout:.0f} s; see `make logs S=airflow-scheduler`"
                )
            if now - begin > long:
                tell(f"  it goes on for as long as it needs; its log: {log}")
                long = math.inf
            time.sleep(0.5)

    def _state(self, dag_id: str, run_id: str) -> str:
        """The run's state, `running` also while an earlier run goes before it; empty where a busy Airflow does not say in time."""
        try:
            state = self.run_state(dag_id, run_id)
            return "running" if state == "queued" and self.is_running(dag_id) else state
        except LateError:
            return ""

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  # JSON
        if not self._token:
            self._token = self._send("POST", "/auth/token", {"username": self.user, "password": self.password})[
                "access_token"
            ]
        return self._send(method, path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:  # noqa: ANN401  # JSON
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        }
        data = json.dumps(body).encode() if body is not None else None
        call = request.Request(self.address + path, data=data, headers=headers, method=method)  # noqa: S310  # our own address
        try:
            with request.urlopen(call, timeout=self.patience) as answer:  # noqa: S310
                return json.load(answer)
        except error.HTTPError as refused:
            detail = refused.read().decode(errors="replace")[:300]
            if refused.code == 404:
                raise NotFoundError(f"Airflow does not know {path}") from refused
            raise RatchetError(f"Airflow answered {refused.code} to {method} {path}: {detail}") from refused
        except OSError as away:
            late = isinstance(away, TimeoutError) or isinstance(getattr(away, "reason", None), TimeoutError)
            kind = LateError if late else RatchetError
            raise kind(f"Airflow does not answer at {self.address}: {away}") from away


class LateError(RatchetError):
    """Airflow is there and took too long to answer."""


class NotFoundError(RatchetError):
    """Airflow does not know the DAG or the run."""
