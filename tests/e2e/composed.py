"""The composed stack that `tools/compose-test` started, as the tests of the loop know a stack."""

import os
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from ratchet.settings import Settings
from ratchet.stack.paths import Home
from ratchet.stack.secrets import Secrets
from ratchet.stack.services import Stack

ROOT = Path(__file__).parents[2]
FOLDER = os.environ.get("COMPOSED", "")


@dataclass(frozen=True)
class ComposedHouse:
    """Containers that run, reached through their published ports."""

    stack: Stack
    keys: dict[str, str]
    given: dict[str, str]
    """The stack's `.env`."""

    @property
    def router(self) -> str:
        return f"http://127.0.0.1:{self.stack.settings.router_port}"

    def share(self) -> int:
        """The candidate's share of the clients, in percent: the largest flag in the router's volume."""
        found = self.compose("exec", "-T", "router", "ls", "/weights").split()
        return max((int(name) for name in found if name.isdecimal()), default=0)

    def compose(self, *arguments: str, timeout: float = 120) -> str:
        """One compose command on this stack; its output."""
        command = [*os.environ["COMPOSE"].split(), *arguments]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=True
        ).stdout.strip()

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "-q", service)


def docker(*arguments: str) -> str:
    """One command of the engine; its output."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


def composed_house() -> ComposedHouse:
    """Read what `tools/compose-test` left: the `.env` of the stack and its keys."""
    folder = Path(FOLDER)
    values = dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines() if "=" in line)
    ports = {name.lower(): int(value) for name, value in values.items() if name.endswith("_PORT")}
    names = {field.name for field in fields(Secrets)}
    secrets = Secrets(**{name: values[name.upper()] for name in names})
    settings = Settings(_env_file=None, data_home=folder, **ports)
    stack = Stack(settings=settings, secrets=secrets, home=Home(folder))
    return ComposedHouse(
        stack=stack,
        keys={name: (folder / f"key-{name}").read_text().strip() for name in ("predict", "operate")},
        given=values,
    )
