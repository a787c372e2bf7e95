"""A release as pictures: best, median and worst series with their bounds, error by step, which family answers, what bounds promised.

Drawn without a display, and only where releases are registered: matplotlib comes with MLflow.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import cycle, product
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from ratchet.contracts.release import Card

INK, MUTED, GRID = "#1b1f24", "#8c959f", "#e4e8ec"
OWN, SECOND = "#0b6e99", "#d1570a"
OTHERS: Final = tuple(
    product(("solid", (0, (5, 2)), (0, (1, 1.4))), ("#d1570a", "#2a9d5c", "#b0399a", "#a08500", "#5f6b7a"))
)
"""Strokes of the other families: with more of them than colours that can be told apart, dashes tell the rest."""
WIDE: Final = 10.5
ORDER: Final = ("busy", "mid", "sparse")


def draw(card: Card, evaluation: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Each plot by its name; one that has nothing to show is left out."""
    if evaluation.get("series"):
        yield "series", _series(card, evaluation["series"])
    if any(evaluation.get("by_step", {}).values()):
        yield "error_by_step", _by_step(card, evaluation["by_step"])
    if card.families:
        yield "families", _families(card)
    if card.coverage:
        yield "calibration", _calibration(card)


def _series(card: Card, series: list[dict[str, Any]]) -> Figure:
    figure, axes = _panes(card, "Held-out weeks of the newest fold", rows=len(series), height=2.55)
    for axis, one in zip(axes, series, strict=True):
        history, actual, said = one["history"], _numbers(one["actual"]), one["forecast"]
        weeks = _weeks(one["first_week"], len(history) + len(actual))
        past, ahead = weeks[: len(history)], weeks[len(history) :]
        axis.plot(past, _numbers(history), color=INK, linewidth=1.1, label="what happened")
        for level, alpha in (("95", 0.16), ("80", 0.3)):
            low, high = _numbers(said[f"lo_{level}"]), _numbers(said[f"hi_{level}"])
            axis.fill_between(ahead, low, high, color=OWN, alpha=alpha, linewidth=0, label=f"{level} % bounds")
        axis.plot(ahead, _numbers(said["median"]), color=OWN, linewidth=1.8, label="forecast (median)")
        axis.plot(ahead, actual, color=INK, linewidth=1.1, marker="o", markersize=2.6)
        axis.axvline(ahead[0] - timedelta(days=3), color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
        _title(
            axis,
            f"{one['rank'].title()}: {one['unique_id']}, {_word(one['target'])}",
            f"MASE {one['mase']:.2f} over folds",
        )
        axis.set_ylabel("count per week", fontsize=9)
        axis.set_ylim(bottom=-0.03 * axis.get_ylim()[1])
        axis.set_xlim(weeks[0], weeks[-1] + timedelta(days=4))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize=9, ncols=4)
    return figure


def _by_step(card: Card, by_step: dict[str, list[float | None]]) -> Figure:
    figure, (axis,) = _panes(card, "Error by weeks ahead", rows=1, height=4.4)
    last = {who: _numbers(values)[-1] for who, values in by_step.items()}
    others = sorted((who for who in by_step if who != "release"), key=lambda who: -np.nan_to_num(last[who]))
    for (dashes, colour), who in zip(cycle(OTHERS), others, strict=False):
        values = _numbers(by_step[who])
        axis.plot(
            np.arange(1, len(values) + 1), values, color=colour, linestyle=dashes, linewidth=1.3, label=_word(who)
        )
    values = _numbers(by_step.get("release", []))
    if len(values):
        axis.plot(np.arange(1, len(values) + 1), values, color=OWN, linewidth=2.8, label="the release")
        axis.set_xlim(1, max(2, len(values)))
    axis.axhline(1, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    axis.set(xlabel="weeks ahead", ylabel="MASE")
    _title(axis, "Mean over folds, then series", "1: as wrong as repeating the last week was, one week ahead")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9, reverse=True)
    return figure


def _families(card: Card) -> Figure:
    mase = {name: card.scores.get(name, {}).get("mase", np.nan) for name in card.families}
    names = sorted(card.families, key=lambda name: (card.families[name], -np.nan_to_num(mase[name], nan=np.inf)))
    figure, (left, right) = _panes(card, "Which family answers", rows=1, height=1.4 + 0.4 * len(names), columns=2)
    counts, places = np.array([card.families[name] for name in names]), np.arange(len(names))
    left.barh(places, counts, color=OWN, height=0.62)
    for place, count in enumerate(counts):
        if count:
            left.text(count, place, f" {count / counts.sum():.0%}", va="center", color=INK, fontsize=9)
    left.set_xlim(0, counts.max() * 1.15)
    left.set_yticks(places, [_word(name) for name in names])
    _title(left, f"Answers for, of {card.series} series", "")
    right.scatter([mase[name] for name in names], places, color=[OWN if count else MUTED for count in counts], s=42)
    own = card.scores.get("release", {}).get("mase")
    if own is not None:
        right.axvline(own, color=SECOND, linewidth=1.0, linestyle=(0, (3, 3)))
    right.set_yticks(places, [])
    right.set_ylim(left.get_ylim())
    _title(right, "MASE over all series", f"dashed: the release, {own:.2f}" if own else "")
    if card.ensemble:
        left.set_xlabel(f"the ensemble is the median of {', '.join(map(_word, card.ensemble))}", fontsize=9, loc="left")
    return figure


def _calibration(card: Card) -> Figure:
    groups = _groups(card.coverage)
    figure, (axis,) = _panes(
        card, "What bounds promised, and how often they held", rows=1, height=1.6 + 0.4 * len(groups)
    )
    for level, colour in (("80", SECOND), ("95", OWN)):
        promised = float(level)
        axis.axvline(promised, color=colour, linewidth=1.0, linestyle=(0, (3, 3)))
        for place, group in enumerate(reversed(groups)):
            share = card.coverage.get(f"{level}/{group}" if group else level)
            if share is None:
                continue
            axis.plot([promised, 100 * share], [place, place], color=colour, linewidth=2.2, alpha=0.35)
            axis.plot(100 * share, place, "o", color=colour, markersize=8 if not group else 6)
        axis.plot([], [], "o", color=colour, label=f"{level} % bounds held")
    axis.set_yticks(range(len(groups)), [_group(group) for group in reversed(groups)])
    axis.set_ylim(-0.6, len(groups) - 0.4)
    lowest = min(100 * share for share in card.coverage.values())
    axis.set_xlim(min(60.0, lowest - 4), 101)
    axis.set(xlabel="percent of held-out weeks within the bounds; dashed: what was promised")
    figure.legend(loc="outside lower center", frameon=False, fontsize=9, ncols=2)
    _title(
        axis, "By size of series and by weeks ahead", "from bounds that were learnt before the weeks that they cover"
    )
    return figure


def _groups(coverage: dict[str, float]) -> list[str]:
    found = {name.partition("/")[2] for name in coverage}
    sizes = [size for size in ORDER if size in found]
    steps = sorted((name for name in found if name.startswith("step ")), key=lambda name: int(name.split()[1]))
    return [*([""] if "" in found else []), *sizes, *steps]


def _group(name: str) -> str:
    if name.startswith("step "):
        weeks = int(name.split()[1])
        return f"{weeks} week{'s' * (weeks > 1)} ahead"
    return f"{name} series" if name else "all"


def _panes(card: Card, title: str, *, rows: int, height: float, columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDE, rows * height + 0.5), layout="constrained", facecolor="white")
    source = "synthetic sample data" if card.synthetic else card.workload
    figure.suptitle(
        f"{title}  ·  {card.release_id}, {source}", x=0.01, ha="left", fontsize=12, color=INK, weight="bold"
    )
    axes = np.atleast_1d(figure.subplots(rows, columns))
    for axis in axes:
        axis.grid(visible=True, color=GRID, linewidth=0.8)
        axis.set_axisbelow(True)
        axis.tick_params(colors=INK, labelsize=9, length=0)
        for side in axis.spines.values():
            side.set_visible(False)
    return figure, axes


def _title(axis: Any, left: str, right: str) -> None:  # noqa: ANN401  # matplotlib's axes take anything
    axis.set_title(left, loc="left", fontsize=10, color=INK)
    axis.set_title(right, loc="right", fontsize=9, color=MUTED)


def _weeks(first: str, count: int) -> list[date]:
    begin = date.fromisoformat(first)
    return [begin + timedelta(weeks=number) for number in range(count)]


def _numbers(values: list[float | None]) -> Any:  # noqa: ANN401  # see _title
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _word(name: str) -> str:
    return name.replace("_", " ")
