"""Write the synthetic sample, or check that the committed one is what this writes.

python -m ratchet.workloads.github_activity.sample_generator [--check]
"""

import argparse
import csv
import gzip
import io
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from pathlib import Path

from ratchet.workloads.github_activity.sample_events import hour_files
from ratchet.workloads.github_activity.sample_series import REPOSITORIES, TARGETS, WEEKS, draw, week_ending
from ratchet.workloads.github_activity.sources import SAMPLE_FOLDER


def write(folder: Path) -> None:
    """Write the whole sample below `folder`: the same content every time."""
    counts = {repository.name: draw(repository) for repository in REPOSITORIES}
    history = [
        (name, week_ending(week), *row)
        for name, weeks in counts.items()
        for week, row in weeks.items()
        if week < WEEKS - 1
    ]
    last_hour = datetime.combine(week_ending(WEEKS - 2), time(23), tzinfo=UTC)
    _write_gzip(folder / "history" / _file_name(last_hour, "csv.gz"), _table(("repository", "week", *TARGETS), history))
    for hour, lines in hour_files({name: weeks[WEEKS - 1] for name, weeks in counts.items()}):
        _write_gzip(folder / "events" / _file_name(hour, "json.gz"), lines)
    after = [
        (name, target, week_ending(week), row[at])
        for name, weeks in counts.items()
        for at, target in enumerate(TARGETS)
        for week, row in weeks.items()
        if week >= WEEKS
    ]
    (folder / "what_came_next.csv").write_bytes(_table(("unique_id", "target", "ds", "y"), after))


def differences(made: Path, committed: Path) -> list[str]:
    """Name the data files that only one of the folders has, or whose content differs."""
    names = {
        path.relative_to(root).as_posix()
        for root in (made, committed)
        for path in root.rglob("*.*")
        if path.suffix in {".gz", ".csv"}
    }
    return sorted(name for name in names if _content(made / name) != _content(committed / name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sample into the package; with `--check` only compare, and fail on a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare the committed sample with what would be written")
    if not parser.parse_args(arguments).check:
        write(SAMPLE_FOLDER)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        found = differences(Path(folder), SAMPLE_FOLDER)
    sys.stdout.write("".join(f"differs: {name}\n" for name in found) or "the sample is what its generator makes\n")
    return 1 if found else 0


def _file_name(hour: datetime, suffix: str) -> str:
    return f"{hour:%Y-%m-%d}-{hour.hour}.{suffix}"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _write_gzip(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


def _content(path: Path) -> bytes | None:
    # Compared unpacked: another zlib may pack the same content into other bytes.
    if not path.is_file():
        return None
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
