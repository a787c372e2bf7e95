"""`ratchet releases` and `ratchet tidy`: what there is, what becomes of it and why."""

import argparse
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from ratchet import workloads
from ratchet.contracts.ports import GONE, Release, Track
from ratchet.reading import as_table
from ratchet.settings import Settings

if TYPE_CHECKING:
    from ratchet.keeping import Tidied

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it


def add_releases(commands: Commands) -> None:
    """Add both commands to the command line."""
    what = "every release: its version, names, state and files"
    listing = commands.add_parser("releases", help=what, description=what)
    listing.set_defaults(command=releases)
    listing.add_argument("workload", nargs="?", help="default: the first of the setting WORKLOADS")
    what = "drop log days past LOG_RETENTION_DAYS, and the files of releases and issues that nobody needs any more"
    tidying = commands.add_parser("tidy", help=what, description=what)
    tidying.set_defaults(command=tidy, logs=logging.WARNING)
    tidying.add_argument("--dry-run", action="store_true", help="only say what would go, and why the rest stays")


def releases(options: argparse.Namespace) -> str:
    """One line per release, the newest first."""
    from ratchet.loop import Loop

    loop = Loop()
    workload = workloads.find(options.workload).name if options.workload else _workloads(loop.settings)[0]
    found = loop.trials.registry.releases(workload)
    rows = [_row(release) for release in reversed(found)]
    return as_table([_HEAD, *rows]) if rows else f"no release of {workload} is registered yet"


def tidy(options: argparse.Namespace) -> str:
    """Tidy the log, then each workload's releases; what was done, or would be."""
    from ratchet.loop import Loop
    from ratchet.serve.tidy import old_days

    loop = Loop()
    if options.dry_run:
        settings = loop.settings
        days = old_days(settings.database, now=datetime.now(UTC), keep_days=settings.log_retention_days)
        lines = [f"forecast log: {len(days)} days would go{f', up to {days[-1]}' if days else ''}"]
    else:
        lines = [f"forecast log: {loop.tidy()}"]
    for workload in _workloads(loop.settings):
        lines += _tidy_releases(loop.tidy_releases(workload, dry_run=options.dry_run), workload, dry=options.dry_run)
    return "\n".join(lines)


_HEAD = ("version", "name", "release", "state", "lifecycle", "trained on", "issue", "files")


def _row(release: Release) -> tuple[str, ...]:
    return (
        release.semantic_version,
        release.name_on(Track.PRODUCTION),
        release.release_id,
        release.state,
        release.lifecycle,
        f"{release.data_hour:%Y-%m-%d %H:%M}" if release.data_hour else "",
        str(release.issue),
        release.files,
    )


def _workloads(settings: Settings) -> list[str]:
    return [name.strip() for name in settings.workloads.split(",") if name.strip()]


def _tidy_releases(done: "Tidied", workload: str, *, dry: bool) -> list[str]:
    go = "would go" if dry else "goes"
    told = (fate for fate in done.fates if fate.release.files != GONE)
    lines = [f"{workload}:"]
    lines += [f"  {fate.release.release_id}  {'stays' if fate.stays else go}: {fate.why}" for fate in told]
    lines += [f"  {one}: issues {', '.join(map(str, old))} {go}" for one, old in done.issues.items()]
    if done.waits:
        lines.append(f"  no release goes now: {done.waits}")
    if not dry:
        lines.append(f"  removed: {', '.join(done.removed) or 'nothing'}")
    return lines
