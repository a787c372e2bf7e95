"""dbt in its own process: no log handlers or open databases stay behind, and its memory goes back."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Workload
from ratchet.ingest.warehouse.ending import ending

SHELL: Final = Path(__file__).parent
_RESULTS: Final = "run_results.json"
_DBT: Final = (sys.executable, "-P", str(SHELL / "dbt_process.py"))  # -P: this module beside it is not dbt
# Of small matrices: threads that wait for each other cost more than they bring.
_SMALL_MATRICES: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SHOWN_FAILURES: Final = 5
_EXCEPTION: Final = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception): .+", re.MULTILINE)
UNIT_TESTS: Final = "unit_tests.yml"
_MODEL_FILES: Final = frozenset({".sql", ".yml", ".py"})
_PARTS: Final = {"silver": "models/silver", "gold": "models/gold", "macros": "macros", "tests": "tests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A workload's dbt project, put together below `place`: dbt never writes beside the code."""

    workload: Workload
    place: Path

    def assemble(self, *, unit_tests: bool = False) -> None:
        """Copy the shell and the workload's models into one project; unit tests only when asked for, since parsing takes time."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for path in SHELL.rglob("*"):
            if path.suffix in {".sql", ".yml"}:
                _copy(path, self._folder / path.relative_to(SHELL))
        for part, where in _PARTS.items():
            for path in (self.workload.sql / part).rglob("*"):
                if path.suffix in _MODEL_FILES and (unit_tests or path.name != UNIT_TESTS):
                    _copy(path, self._folder / where / path.relative_to(self.workload.sql / part))

    def run(self, *command: str, hold: Sequence[int] = ()) -> None:
        """Run dbt; a `DataError` names the models and tests that failed. It holds the descriptors `hold` while it lives."""
        with self.prepared(*command, hold=hold) as go:
            go()

    @contextmanager
    def prepared(self, *command: str, hold: Sequence[int] = ()) -> Iterator[Callable[[], None]]:
        """Start dbt: it reads the project at once, and the database only when what this gives is called, as `run` would.

        That it takes seconds to start costs nothing while its input is still being made. Left without a call, it goes away.
        """
        target = self.place / "dbt"
        (target / _RESULTS).unlink(missing_ok=True)
        paths = {
            "--project-dir": self._folder,
            "--profiles-dir": self._folder,
            "--target-path": target,
            "--log-path": target,
        }
        process = subprocess.Popen(
            [*_DBT, *command, *(word for name, path in paths.items() for word in (name, str(path)))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | _SMALL_MATRICES,
            cwd=self.place,
            pass_fds=hold,
        )

        def go() -> None:
            said, _ = process.communicate("go\n")
            if process.returncode:
                why = _failures(target / _RESULTS) or ending("dbt", process.returncode, _cause(said))
                raise DataError(f"{self.workload.name}: {why}")

        with process:
            try:
                yield go
            finally:
                process.kill()

    @property
    def _folder(self) -> Path:
        return self.place / "project"


def _copy(path: Path, place: Path) -> None:
    # By content alone: an installed package may be read-only, its copy must not be.
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())


def _cause(said: str) -> str:
    """The exception that ended dbt, in a line; the end of what it said if none did. Its logger's complaints come before and after."""
    raised = _EXCEPTION.findall(said)
    return raised[-1] if raised else " ".join(said.split())[-2000:]


def _failures(results: Path) -> str:
    """Name the models and tests that failed, with dbt's words for each; empty if dbt did not come as far."""
    if not results.exists():
        return ""
    nodes = [node for node in json.loads(results.read_text())["results"] if node["status"] in {"fail", "error"}]
    shown = [
        f"{node['unique_id'].split('.')[2]}: {' '.join((node['message'] or node['status']).split())}" for node in nodes
    ]
    more = [f"and {len(shown) - _SHOWN_FAILURES} more"] if len(shown) > _SHOWN_FAILURES else []
    return "; ".join(shown[:_SHOWN_FAILURES] + more)
