"""M4 Weekly: a release and its families beside the published table. A check that nothing is badly wrong, not a set to tune on.

359 series of money, people and goods, close to random walks, where repository activity is noise around a slow level. The series are laid
side by side by their last week, everything is done as a training would, and the next 13 weeks are scored as the competition did:
sMAPE, MASE with the one-step naive scale, OWA beside Naive2 (which is naive here, since no series has a seasonal period).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from ratchet import forecasters
from ratchet.contracts.release import series_name
from ratchet.train import calibrate, choose, fit, folds, hold_out, holidays
from ratchet.train.fit import predict
from ratchet.train.panel import Panel
from ratchet.train.search import Budget, Search, improve
from ratchet.train.validation import validate

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "m4_weekly"
RECIPE = ("naive", "seasonal_naive", "window_median", "recent_median", "tsb", "farima", "trees", "neural")
ALONE = ("ets", "theta")
HORIZON = 13
# Mcompetitions/M4-methods, "Evaluation and Ranks.xlsx": sMAPE, MASE, OWA of the weekly series.
PUBLISHED = {
    "Darin and Stellwagen (best of the weekly series)": (6.582, 2.107, 0.739),
    "FFORMA (second of the competition)": (7.625, 2.108, 0.796),
    "ES-RNN (winner of the competition)": (7.817, 2.356, 0.851),
    "Comb": (8.944, 2.432, 0.926),
    "Theta": (9.093, 2.637, 0.971),
    "Naive2": (9.161, 2.777, 1.000),
    "RNN": (15.220, 5.132, 1.755),
    "MLP": (21.349, 13.568, 3.608),
}


def read(folder):
    """The series by their last week as one panel, and what came after."""
    known = pd.read_csv(folder / "Weekly-train.csv.gz", index_col=0)
    after = pd.read_csv(folder / "Weekly-test.csv", index_col=0).loc[known.index]
    rows = [values[np.isfinite(values)] for values in known.to_numpy(dtype=float)]
    weeks = pd.date_range(end="2016-01-03", periods=max(map(len, rows)), freq="7D")
    values = np.full((len(rows), len(weeks)), np.nan)
    for row, found in enumerate(rows):
        values[row, len(weeks) - len(found) :] = found
    names = tuple(series_name(name, "value") for name in known.index)
    return Panel(names=names, weeks=weeks, values=values), after.to_numpy(dtype=float)


def forecasts(panel, budget):
    """The median of the release, then of every family: who → [series, step]."""
    families = [forecasters.find(name) for name in RECIPE]
    older, newer = validate(panel, families, folds.plan(len(panel.weeks), horizon=HORIZON), say=lambda _: None)
    families, trials = improve(panel, families, (older, newer), budget, Search())
    for trial in trials:
        if trial.kept or trial.difference < 0:
            print(
                "kept" if trial.kept else "    ",
                trial.family,
                dict(trial.options),
                f"{trial.difference:+.3f} ± {trial.error:.3f}",
            )
    for part in (older, newer):
        holidays.on_folds(panel, part, families)
    year = holidays.learn(panel)
    choice = choose.choose(older, families)
    answers = [fit.answer(family, fit.learn(family, panel), panel, horizon=HORIZON) for family in families]
    made = np.array([said[0] for said in answers])
    calibration = calibrate.learn(hold_out(panel, newer, choice))
    point = choice.point(
        np.array([year.told(family, said, panel) for family, said in zip(families, made, strict=True)])
    )
    told = None if choice.tells is None else year.ahead(answers[choice.tells][1:], panel)
    said = calibrate.apply(calibration, point=point, nature=calibrate.describe(panel.values), told=told)
    print("holidays:", dict(year.changes) or "none")
    print("the release is the ensemble of", ", ".join(RECIPE[index] for index in choice.members), flush=True)
    alone = {name: predict(forecasters.find(name), panel, horizon=HORIZON) for name in ALONE}
    return said, dict(zip(RECIPE, made, strict=True)) | alone


def score(panel, actual, forecast):
    """sMAPE in percent and MASE, means over series."""
    error = np.abs(actual - forecast)
    size = np.abs(actual) + np.abs(forecast)
    steps = np.abs(np.diff(panel.values, axis=1))
    return float((200 * error / size).mean()), float((error.mean(axis=1) / np.nanmean(steps, axis=1)).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=DATA)
    parser.add_argument("--trials", type=int, default=0, help="other settings of the families to try")
    options = parser.parse_args()
    panel, actual = read(options.folder)
    print(f"{len(panel.names)} series, {HORIZON} weeks ahead")
    said, by_family = forecasts(panel, Budget(trials=options.trials))
    scored = {name: score(panel, actual, made) for name, made in ({"release": said["median"]} | by_family).items()}
    smape, mase = scored["naive"]
    lines = {f"{name} *": (*two, (two[0] / smape + two[1] / mase) / 2) for name, two in scored.items()} | PUBLISHED
    print(f"\n{'* measured here, others published':52s}{'sMAPE':>9s}{'MASE':>9s}{'OWA':>9s}")
    for name, three in sorted(lines.items(), key=lambda item: item[1][2]):
        print(f"{name:52s}" + "".join(f"{value:9.3f}" for value in three))
    for level in ("80", "95"):
        share = ((said[f"lo_{level}"] <= actual) & (actual <= said[f"hi_{level}"])).mean()
        print(f"the release's bounds of {level} % hold in {share:.1%} of the weeks")


if __name__ == "__main__":
    main()
