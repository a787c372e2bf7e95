"""Trains in a home of its own and writes what a reviewer wants to see: the card, a summary in Markdown and two plots."""

import argparse
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from ratchet import workloads
from ratchet.contracts.release import CARD, issue_folder
from ratchet.loop import Loop
from ratchet.settings import Settings


def main() -> None:
    """Ingest, train and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="")
    parser.add_argument("--reason", default="by hand")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as home:
        loop = Loop(Settings(data_home=Path(home)))
        name = loop.settings.workloads.split(",")[0]
        loop.land(name)
        loop.build_gold(name)
        recipe = tuple(filter(None, options.recipe.split(","))) or workloads.find(name).families
        release = Path(home) / "bundles" / name / loop.train(name, recipe=recipe, reason=options.reason)
        card = json.loads((release / CARD).read_text())
        shutil.copy(release / CARD, options.out / CARD)
        plot_scores(card, options.out / "scores.png")
        plot_forecasts(release, options.out / "forecasts.png")
    (options.out / "summary.md").write_text(summary(card, options.reason))


def summary(card: dict[str, Any], reason: str) -> str:
    """What the run and the pull request show."""
    kinds = sorted({kind for scores in card["scores"].values() for kind in scores})
    lines = [
        f"### Release `{card['release_id']}` of {card['workload']}",
        f"{card['series']} series as of {card['data_hour']}, code {card['code_version']}: {reason}."
        + (" The data is **synthetic**." if card["synthetic"] else ""),
        "",
        f"| | {' | '.join(kinds)} |",
        f"|---|{'---:|' * len(kinds)}",
    ]
    lines += [
        f"| {who} | {' | '.join(f'{scores[kind]:.3f}' if kind in scores else '' for kind in kinds)} |"
        for who, scores in sorted(card["scores"].items())
    ]
    shares = ", ".join(f"{family} {count}" for family, count in sorted(card["families"].items()))
    coverage = ", ".join(f"{interval}: {share:.1%}" for interval, share in sorted(card["coverage"].items()))
    lines += ["", f"Chosen for: {shares}. Coverage: {coverage}. Rejected: {len(card['rejected'])}.", ""]
    return "\n".join(lines)


def plot_scores(card: dict[str, Any], path: Path) -> None:
    """One bar per family, of the first score that every family has."""
    kind = next(iter(next(iter(card["scores"].values()))))
    names = sorted(name for name, scores in card["scores"].items() if kind in scores)
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    axes.barh(names, [card["scores"][name][kind] for name in names])
    axes.set(xlabel=kind, title=f"Release {card['release_id']}: {kind} by family (less is better)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_forecasts(release: Path, path: Path) -> None:
    """Median and both intervals of the first four series."""
    values = {
        name: np.load(release / issue_folder(1) / f"{name}.npy")
        for name in ("median", "lo_80", "hi_80", "lo_95", "hi_95")
    }
    figure, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained", sharex=True)
    weeks = np.arange(1, values["median"].shape[1] + 1)
    for row, axis in enumerate(axes.flat[: len(values["median"])]):
        for level, shade in (("95", 0.15), ("80", 0.3)):
            axis.fill_between(weeks, values[f"lo_{level}"][row], values[f"hi_{level}"][row], alpha=shade, color="C0")
        axis.plot(weeks, values["median"][row], color="C0")
        axis.set(title=f"series {row}", xlabel="weeks ahead", ylabel="count")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
