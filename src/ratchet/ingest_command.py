"""`ratchet ingest …` from a shell: land, look, build; the sources and their arguments are those that the workloads declare."""

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from ratchet import workloads
from ratchet.bars import Bar, fill, seconds_left
from ratchet.contracts.errors import RatchetError
from ratchet.contracts.source import SEPARATOR, SourceKind, Span
from ratchet.settings import Settings

if TYPE_CHECKING:
    from ratchet.ingest import Building, LandReport, Progress
    from ratchet.ingest.status import SourceStatus

Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it

_AS_BEFORE: Final = argparse.SUPPRESS
"""What is said before WHAT and not after it stands."""
_SAMPLE: Final = "sample"
_SHOWN: Final = 10
_WHAT: Final = "land what is new and rebuild gold"


def add_ingest(commands: Parsers) -> None:
    """Add `ingest` with a subcommand for each workload and each kind of source."""
    parser = commands.add_parser(
        "ingest",
        help=_WHAT,
        description=f"{_WHAT.capitalize()}. Without WHAT: what the setting EVENTS names, for the first workload.",
        epilog="What has landed is never read again; a run that was stopped goes on where it was.",
    )
    parser.set_defaults(command=_ingest, workload=None, kind=None, where=(), first="", last="", land_only=False)
    _add_options(parser, by_hour=True)
    what = parser.add_subparsers(metavar="WHAT")
    known: set[str] = set()
    for name in workloads.names():
        of_workload = what.add_parser(name, help=f"what EVENTS names, for {name}", description=_WHAT)
        of_workload.set_defaults(command=_ingest, workload=name)
        _add_options(of_workload, by_hour=True)
        for kind in workloads.find(name).source_kinds:
            if kind.name not in known:
                known.add(kind.name)
                _add_kind(what, kind, name)
    status = what.add_parser("status", help="what has landed, what is missing", description=_status.__doc__)
    status.add_argument(
        "workload", nargs="?", help="whose counts to show (default: the first of the setting WORKLOADS)"
    )
    status.set_defaults(command=_status)


def _add_kind(what: Parsers, kind: SourceKind, workload: str) -> None:
    description = f"{kind.summary[0].upper()}{kind.summary[1:]}: {_WHAT}, for the workload {workload}."
    parser = what.add_parser(kind.name, help=kind.summary, description=description)
    parser.set_defaults(command=_ingest, workload=workload, kind=kind.name)
    if kind.takes:
        parser.add_argument("where", metavar=kind.takes, help=kind.takes_help, nargs="+" if kind.takes_many else 1)
    _add_options(parser, by_hour=kind.by_hour)


def _add_options(parser: argparse.ArgumentParser, *, by_hour: bool) -> None:
    if by_hour:
        hour = "2026-01-31 or 2026-01-31T05, UTC"
        parser.add_argument(
            "--from", dest="first", metavar="HOUR", help=f"first hour to land: {hour}", default=_AS_BEFORE
        )
        parser.add_argument(
            "--to", dest="last", metavar="HOUR", help="last one; a day counts whole", default=_AS_BEFORE
        )
    parser.add_argument("--land-only", action="store_true", help="leave gold as it is", default=_AS_BEFORE)


def _ingest(options: argparse.Namespace) -> str:
    from ratchet.loop import Loop

    loop = Loop()
    workload = str(options.workload or loop.settings.workloads.split(",")[0])
    by_hour = {kind.name: kind.by_hour for kind in workloads.find(workload).source_kinds}
    if not by_hour.get(options.kind, True) and (options.first or options.last):
        raise RatchetError(f"{options.kind} has no hours to choose from: leave --from and --to out")
    given = _given(options)
    span = Span.parse(options.first or loop.settings.events_from, options.last or loop.settings.events_to)
    with Bar(sys.stderr) as bar:
        reports, away = loop.land_from(
            workload,
            given or loop.settings.events,
            span=span,
            hours_only=bool(options.first or options.last),
            progress=partial(draw, bar),
        )
    lines = [line for report in reports for line in _told(report)]
    try:
        if reports and not options.land_only:
            events = _all_events(given, loop.settings.events)
            with Bar(sys.stderr) as bar:
                gold = loop.build_gold(
                    workload, events=events, progress=partial(draw_gold, bar) if bar.is_shown else None
                )
            lines += [f"gold as of {gold['data_hour']}, digest {gold['digest'][:12]}", *_hint(given, loop.settings)]
    except RatchetError as error:
        away.append(error)
    if away:
        if lines:
            print("\n".join(lines))
        raise RatchetError("; ".join(map(str, away)))
    return "\n".join(lines)


def _given(options: argparse.Namespace) -> str:
    if not options.kind:
        return ""
    return f"{options.kind}:{','.join(options.where)}" if options.where else str(options.kind)


def _all_events(given: str, setting: str) -> str:
    """What gold is built from: what was just landed beside what the setting names; real events never beside the sample."""
    if not given or _SAMPLE in {given, setting}:
        return given or setting
    return f"{setting}{SEPARATOR}{given}"


def _hint(given: str, settings: Settings) -> list[str]:
    if not given or given in [word.strip() for word in settings.events.split(SEPARATOR)]:
        return []
    kept = f"{settings.events}{SEPARATOR}" if settings.events != _SAMPLE else ""
    return [f"the hourly run uses EVENTS={settings.events}; to have it go on with this: EVENTS='{kept}{given}'"]


def _told(report: "LandReport") -> list[str]:
    size, seconds = _size(report.bytes), f"{report.seconds:.1f} s"
    lines = [f"{report.source}: {report.landed} landed ({size}, {seconds}), {report.already} had landed before"]
    lines += [f"  {trouble.what}: {trouble.name}: {trouble.reason}" for trouble in report.troubles[:_SHOWN]]
    if len(report.troubles) > _SHOWN:
        lines.append(f"  and {len(report.troubles) - _SHOWN} more: `ratchet ingest status`")
    return lines


def _status(options: argparse.Namespace) -> str:
    """What has landed per source: files, bytes, first and newest hour, events, rejected records, and the hours that are missing."""
    from ratchet.ingest import open_bronze
    from ratchet.ingest.status import status

    settings = Settings.load()
    workload = workloads.find(options.workload or settings.workloads.split(",")[0]).name
    bronze = open_bronze(settings.bronze_root, home=settings.home).folder
    found = status(bronze, hours_file=settings.home / "warehouse" / workload / "hours.csv")
    if not found:
        return f"nothing has landed in {bronze} yet"
    return "\n".join(line for source in found for line in _shown(source))


def _shown(source: "SourceStatus") -> list[str]:
    counted = "" if source.events is None else f", {source.events:,} events, {source.rejected:,} rejected"
    span = f"{source.first:%Y-%m-%d %H}:00 to {source.newest:%Y-%m-%d %H}:00" if source.files else "nothing has landed"
    lines = [f"{source.source}: {source.files:,} files, {_size(source.bytes)}, {span}{counted}"]
    hours = sum(int((last - first).total_seconds()) // 3600 + 1 for first, last in source.gaps)
    if hours:
        shown = [
            f"{first:%Y-%m-%dT%H}" if first == last else f"{first:%Y-%m-%dT%H}..{last:%Y-%m-%dT%H}"
            for first, last in source.gaps
        ]
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        lines.append(f"  {hours:,} hours between are not there: {', '.join(shown[:_SHOWN])}{more}")
    return lines + [f"  {trouble.what}: {trouble.name}: {trouble.reason}" for trouble in source.troubles]


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def draw(bar: Bar, source: str, progress: "Progress") -> None:
    """Show how far a source has come."""
    bar.draw(lambda seconds: _line(source, progress, seconds), is_last=progress.done == progress.pieces)


def draw_gold(bar: Bar, told: "Building") -> None:
    """Show how far gold has come."""
    bar.draw(lambda seconds: _gold_line(told, seconds), is_last=told.is_modelled)


def _gold_line(told: "Building", seconds: float) -> str:
    read = f"gold {fill(told.files, told.of_files)}, " if told.of_files else "gold: "
    if told.is_modelled:
        return f"{read}dbt takes in what is new"
    return f"{read}{_size(told.bytes)} of {_size(told.of_bytes)}{seconds_left(told.bytes, told.of_bytes, seconds)}"


def _line(source: str, progress: "Progress", seconds: float) -> str:
    speed = f"{_size(progress.bytes)}, {_size(progress.bytes / seconds)}/s" if seconds > 0 else _size(progress.bytes)
    if not progress.pieces:
        return f"{source}: {progress.done} landed, {speed}"
    return f"{source} {fill(progress.done, progress.pieces)}, {speed}{seconds_left(progress.done, progress.pieces, seconds)}"
