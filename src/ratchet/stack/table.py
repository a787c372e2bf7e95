"""What `make up` ends with and `make status` shows: what runs where, and a request that works when pasted."""

import json
from typing import Any

from ratchet.stack.api_keys import Keys
from ratchet.stack.first_turn import example, release
from ratchet.stack.preflight import EVERYWHERE, HERE
from ratchet.stack.services import Service, Stack
from ratchet.stack.supervised import ProcessState, Supervisor


def show(stack: Stack, keys: Keys) -> None:
    """Print the table, the keys (the first time) and the example request."""
    status(stack, Supervisor(stack.home))
    print(f"\nAirflow: user admin, password {stack.secrets.airflow_password}")
    if keys.fresh:
        print("API keys, shown this once:")
        print(f"  predict  {keys.predict}")
        print(f"  operate  {keys.operate}  (may also read logs, metrics, evidence)")
    found = example(stack, keys.predict)
    if found:
        print(f"\nA forecast:\n{curl(stack, keys.predict, *found)}")
    if (release(stack, keys.predict) or {}).get("synthetic"):
        print("\nUsers to watch it with: make traffic")


def status(stack: Stack, supervisor: Supervisor) -> None:
    """Print one row per service."""
    states = {state.name: state for state in supervisor.states()} if supervisor.is_running() else {}
    rows = [_row(service, states.get(service.name)) for service in stack.services()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print()
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]))
    if stack.settings.bind == EVERYWHERE:
        print(f"BIND={EVERYWHERE}: the same at every other address of this machine")


def curl(stack: Stack, key: str, path: str, body: dict[str, Any]) -> str:
    """A request for a shell."""
    return (
        f"curl -s http://{HERE}:{stack.settings.router_port}{path} \\\n  -H 'X-API-Key: {key}' -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(body)}'"
    )


def _row(service: Service, state: ProcessState | None) -> tuple[str, str, str, str]:
    at = ""
    if service.port is not None:
        scheme = "postgresql" if service.name == "postgres" else "http"
        at = f"{scheme}://{HERE}:{service.port}"
    return service.name, (state.state.lower() if state else "stopped"), at, service.shows
