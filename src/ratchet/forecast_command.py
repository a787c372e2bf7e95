"""`ratchet forecast`: what the live release says of one series, as a table, and as a chart that any terminal can show; or what was said."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ratchet import workloads
from ratchet.asking import MANY, at_least, nearest
from ratchet.contracts.errors import RatchetError, UnknownSeriesError
from ratchet.contracts.ports import Track
from ratchet.contracts.release import CARD
from ratchet.looking_back import look_back
from ratchet.settings import Settings

if TYPE_CHECKING:
    from ratchet.contracts.workload import Workload
    from ratchet.serve.release import OpenRelease

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it
Week = dict[str, Any]
WIDTH = 60


def add_forecast(commands: Commands) -> None:
    """Add `forecast` to the command line."""
    what = "what the live release says of one series, or how good what was said of it turned out"
    command = commands.add_parser("forecast", help=what, description=what)
    command.set_defaults(command=forecast)
    command.add_argument("unique_id", help="such as owner/name")
    command.add_argument("--target", help="default: the workload's first")
    command.add_argument("--horizon", type=at_least(1), default=8, help="weeks (default: 8)")
    command.add_argument("--workload", help="default: the first of the setting WORKLOADS")
    command.add_argument(
        "--track",
        choices=[track.value for track in Track],
        default=Track.PRODUCTION.value,
        help="whose (default: production)",
    )
    command.add_argument("--release", type=Path, help="a release folder, in place of the live one")
    command.add_argument("--plot", action="store_true", help="a chart as well")
    command.add_argument("--explain", action="store_true", help="what families tell of the series as well")
    past_weeks = "the newest weeks that are over instead: what was answered before each began, and what happened"
    command.add_argument("--past", action="store_true", help=past_weeks)
    command.add_argument("--json", action="store_true", help="for programs")


def forecast(options: argparse.Namespace) -> str:
    """Return the table, with the chart and what families tell if they were asked for."""
    found = workloads.find(options.workload or Settings.load().workloads.split(",")[0])
    if options.json and options.plot:
        raise RatchetError("--json has no chart: leave out --plot")
    return past(options, found) if options.past else coming(options, found)


def past(options: argparse.Namespace, found: "Workload") -> str:
    """Return how good what a track answered of past weeks was."""
    if options.release or options.plot or options.explain:
        raise RatchetError("--past is of what tracks answered: it goes without --release, --plot and --explain")
    target = options.target or found.targets[0]
    if target not in found.targets:
        raise RatchetError(f"no target `{target}`; there are: {', '.join(found.targets)}")
    track, weeks = Track(options.track), options.horizon
    told = look_back(found.name, options.unique_id, target, track=track, weeks=weeks)
    return told.as_json() if options.json else told.as_text()


def coming(options: argparse.Namespace, found: "Workload") -> str:
    """Return what the live release says of the coming weeks."""
    from ratchet.serve.release import open_release  # noqa: PLC0415 - only this command opens releases

    if options.release and not (options.release / CARD).is_file():
        raise RatchetError(f"no release in {options.release}: it has no {CARD}")
    opened = open_release(options.release or _live(found.name, Track(options.track)), verify=False)
    if options.horizon > opened.card.horizon:
        raise RatchetError(f"--horizon must be between 1 and {opened.card.horizon}")
    target = options.target or found.targets[0]
    if target not in opened.card.targets:
        raise RatchetError(f"no target `{target}`; there are: {', '.join(opened.card.targets)}")
    try:
        weeks = opened.forecast(options.unique_id, target, options.horizon)
    except UnknownSeriesError as error:
        raise RatchetError(f"{error}; {_nearest(opened, options.unique_id)}") from None
    if options.json:
        return _as_json(opened, options, target, weeks)
    head = f"{options.unique_id} {target}, {opened.card.release_id}, data to {opened.data_hour:%Y-%m-%d %H:%M} UTC"
    note = ["trained on synthetic sample data"] if opened.card.synthetic else []
    told = explain(opened.scores.of(options.unique_id, target)) if options.explain else ()
    return "\n".join([head, *note, *table(weeks), *(chart(weeks) if options.plot else ()), *told])


def table(weeks: Sequence[Week]) -> list[str]:
    """One line per week."""
    columns = ("median", "mean", "lo_80", "hi_80", "lo_95", "hi_95")
    head = f"{'week':10s}" + "".join(f"{name:>10s}" for name in columns)
    return [head, *(f"{week['week']}" + "".join(f"{week[name]:10.1f}" for name in columns) for week in weeks)]


def chart(weeks: Sequence[Week]) -> list[str]:
    """One bar per week, zero at its left: 95 % as dots, 80 % as dashes, the median as `o`."""
    highest = max(1.0, *(week["hi_95"] for week in weeks))

    def line(week: Week) -> str:
        at = {
            name: round(week[name] / highest * (WIDTH - 1)) for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")
        }
        cells = [" "] * WIDTH
        for mark, low, high in ((".", "lo_95", "hi_95"), ("-", "lo_80", "hi_80"), ("o", "median", "median")):
            cells[at[low] : at[high] + 1] = mark * (at[high] + 1 - at[low])
        return f"{week['week']} |{''.join(cells).rstrip()}"

    return ["", f"{'':10s} 0{'':{WIDTH - 9}s}{highest:8.1f}", *map(line, weeks)]


def explain(record: dict[str, Any]) -> list[str]:
    """Say what families tell of a series, how wrong each was of it on held-out weeks, and every score of what the release says."""
    told, errors = record.get("explained", {}), record.get("mase", {})
    lines = [f"{name:16s} {_figures(told[name])}" for name in sorted(told)] or ["no family tells anything of it"]
    lines += ["", *(f"{name:16s} MASE {error:g}" for name, error in sorted(errors.items(), key=lambda one: one[1]))]
    if own := record.get("scores"):
        return ["", *lines, f"{'the release':16s} {_figures(own)}"]
    return ["", *lines, *([] if errors else ["it could not be validated"])]


def _figures(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in figures.items())


def _as_json(opened: "OpenRelease", options: argparse.Namespace, target: str, weeks: Sequence[Week]) -> str:
    told = {
        "unique_id": options.unique_id,
        "target": target,
        "release": opened.card.release_id,
        "data_hour": opened.data_hour.isoformat(),
        "synthetic": opened.card.synthetic,
        "weeks": weeks,
    }
    record = opened.scores.of(options.unique_id, target) if options.explain else {}
    told |= {name: record.get(name, {}) for name in ("mase", "scores", "explained") if options.explain}
    return json.dumps(told, ensure_ascii=False)


def _nearest(opened: "OpenRelease", unique_id: str) -> str:
    """Say which names are most like one that no release knows."""
    page = opened.series(limit=MANY)
    names = list(dict.fromkeys(name for name, _ in page.series))
    inside = dict.fromkeys(
        name for name, _ in opened.series(search=unique_id, limit=3 * len(opened.card.targets)).series
    )
    return nearest(unique_id, names, list(inside))


def _live(workload: str, track: Track) -> Path:
    from ratchet.register.live import MlflowLive  # noqa: PLC0415 - see forecast
    from ratchet.serve.cache import ReleaseCache  # noqa: PLC0415 - see forecast

    settings = Settings.load()
    release = MlflowLive(settings.tracking_uri).live(workload, track)
    if release is None:
        raise RatchetError(f"nothing is live on {track.value} for {workload}: `ratchet releases` says what there is")
    return ReleaseCache(settings.home / "cache").fetch_whole(release)
