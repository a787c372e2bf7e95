"""`python -m ratchet.stack.launch SERVICE COMMAND…` becomes the command, once what an earlier one left behind is gone.

Killing a parent does not kill its children: workers of a killed gunicorn, nginx or MLflow would hold the port that the next one needs.
"""

import os
import sys

import psutil

from ratchet.stack import marks

_PATIENCE_SECONDS = 5


def main() -> None:
    """Stop orphans of the service, then become its command."""
    service, *command = sys.argv[1:]
    orphans = [found for found in marks.processes(marks.own_home(), service=service) if not _runs_a_task(found)]
    marks.stop(orphans, patience=_PATIENCE_SECONDS)
    os.execvp(command[0], command)  # noqa: S606  # becomes the service


def _runs_a_task(process: psutil.Process) -> bool:
    """A task that outlives its scheduler reports to the API server by itself: it is left to finish."""
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return "airflow" in title and ("<idle>" not in title if "LocalExecutor" in title else "supervisor" in title)


if __name__ == "__main__":
    main()
