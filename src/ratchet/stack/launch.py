"""`python -m ratchet.stack.launch SERVICE` becomes the service, once what an earlier one left behind is gone.

Killing a parent does not kill its children: workers of a killed gunicorn, nginx or MLflow would hold the port that the next one needs.

What it becomes stands in its folder, not in supervisor's configuration: a setting may hold any character there, and of the environment
that supervisor was started in, which may hold credentials of a person's, nothing is handed on.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from ratchet.stack import marks
from ratchet.stack.secrets import write_closed

_PATIENCE_SECONDS = 5
_FILE: Final = "launch.json"


def prepare(folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Leave in a service's folder what it is to become, for its owner's eyes only."""
    folder.mkdir(exist_ok=True)
    write_closed(folder / _FILE, json.dumps({"command": list(command), "environment": dict(environment)}))


def main() -> None:
    """Stop orphans of the service, then become what was prepared in the folder that this runs in."""
    (service,) = sys.argv[1:]
    prepared = json.loads(Path(_FILE).read_bytes())
    orphans = [found for found in marks.processes(marks.own_home(), service=service) if not _runs_a_task(found)]
    marks.stop(orphans, patience=_PATIENCE_SECONDS)
    command = prepared["command"]
    os.execvpe(command[0], command, prepared["environment"])  # noqa: S606  # becomes the service


def _runs_a_task(process: psutil.Process) -> bool:
    """A task that outlives its scheduler reports to the API server by itself: it is left to finish."""
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return "airflow" in title and ("<idle>" not in title if "LocalExecutor" in title else "supervisor" in title)


if __name__ == "__main__":
    main()
