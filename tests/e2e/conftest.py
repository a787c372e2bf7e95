"""The whole embedded stack, started as a newcomer starts it, on free ports in a temporary home."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from composed import FOLDER, ComposedHouse, composed_house
from ratchet.serve.split import FlagFileSplit
from ratchet.settings import Settings
from ratchet.stack.services import Stack

ROOT = Path(__file__).parents[2]
OWN = ["data_home", *(name for name in Settings.model_fields if name.endswith("_port"))]


@dataclass(frozen=True)
class House:
    """A stack that runs, and how to reach it."""

    stack: Stack
    environment: dict[str, str]
    said: str

    @property
    def router(self) -> str:
        return f"http://127.0.0.1:{self.stack.settings.router_port}"

    @property
    def keys(self) -> dict[str, str]:
        known: dict[str, str] = json.loads((self.stack.home.folder / "api-keys.json").read_text())
        return known

    def share(self) -> int:
        """The candidate's share of the clients, in percent."""
        return FlagFileSplit(self.stack.home.weights).share()

    def ratchet(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """One command, as in a shell."""
        command = [sys.executable, "-m", "ratchet", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )


@pytest.fixture(scope="package")
def house(make_stack: Callable[..., Stack]) -> Iterator[House | ComposedHouse]:
    """`make up` in a temporary home, stopped after the last test of this folder; or the containers that `make compose-test` started."""
    if FOLDER:
        yield composed_house()
        return
    stack = make_stack()
    environment = {
        name: value for name, value in os.environ.items() if name.upper() not in map(str.upper, Settings.model_fields)
    }
    environment |= {name.upper(): str(getattr(stack.settings, name)) for name in OWN}
    environment["POLICY"] = '{"mode": "spec"}'  # the plain rule needs no days: a whole turn fits into a test
    house = House(stack=stack, environment=environment, said="")
    try:
        done = house.ratchet("up", timeout=600)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        yield House(stack=stack, environment=environment, said=done.stdout)
    finally:
        house.ratchet("down")


@pytest.fixture
def shell() -> Callable[[str], str]:
    """A shell line as a person pastes it; its output."""

    def run(line: str) -> str:
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, check=True).stdout

    return run


@pytest.fixture
def postgres_rows(house: House) -> Callable[..., list[tuple[object, ...]]]:
    """Rows of the stack's own database."""

    def rows(query: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        connection = psycopg2.connect(house.stack.postgres.uri("ratchet"), connect_timeout=5)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall()
        finally:
            connection.close()

    return rows
