"""The program that `dbt.Project` starts: dbt, which reads its project at once and does what it was asked for when it is told to.

It imports nothing of ours: what it does not need, it does not wait for.
"""

import sys

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

_GLOBAL: list[str] = ["--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats", "--partial-parse"]


def main(command: list[str], places: list[str]) -> int:
    """Parse the project in `places`, wait for a line on standard input, run the command; no line comes if nobody waits any more."""
    project = dbtRunner().invoke([*_GLOBAL, "--no-write-json", "parse", *places]).result
    if not isinstance(project, Manifest):
        return 1
    if not sys.stdin.readline():
        return 0
    return 0 if dbtRunner(manifest=project).invoke([*_GLOBAL, *command, *places]).success else 1


if __name__ == "__main__":
    between = sys.argv.index("--project-dir")
    sys.exit(main(sys.argv[1:between], sys.argv[between:]))
