"""Accuracy on real weekly activity: a release beside each family it could have been, in one run, on the same weeks.

Any CSV of `unique_id, ds, <target>, …`: one row per series and week, weeks ending on Sunday. At each cutoff everything is done as a
training would do it then (families learn all targets, are chosen on older folds, calibrated on newer ones). Each family alone gets the
release's pools of residuals for bounds, but neither holidays nor the other parts of a bound; "(trees as a release)" is one that gets all.
Weeks after the earliest last week are left out, so that no model sees a later week of any series.
"""

import argparse
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ratchet import forecasters, scores
from ratchet.contracts.release import series_name, split_name
from ratchet.train import calibrate, choose, fit, folds, hindsight, hold_out, holidays
from ratchet.train.fit import predict
from ratchet.train.panel import Panel
from ratchet.train.search import Budget, Search, improve
from ratchet.train.validation import validate

HERE = Path(__file__).resolve().parents[3]
DATA = HERE.parent / "shared" / "data" / "real_weekly" / "real_weekly.csv"
RECIPE = ("naive", "seasonal_naive", "window_median", "recent_median", "tsb", "farima", "trees", "neural")
ALONE = {"ets": {}, "theta": {}, "ces": {}, "croston": {}, "window_average": {}, "prophet": {}}
HORIZON, CUTOFFS, APART = 8, 12, 8
QUANTILES = {"lo_95": 0.025, "lo_80": 0.1, "median": 0.5, "hi_80": 0.9, "hi_95": 0.975}


def read(path):
    """All targets as one panel that ends in the earliest last week, without series that ended a year before the others or have gaps."""
    frame = pd.read_csv(path, parse_dates=["ds"])
    targets = [column for column in frame.columns if column not in {"unique_id", "ds"}]
    last = frame.groupby("unique_id")["ds"].max()
    kept = last[last >= last.max() - pd.Timedelta(364, "D")]
    for gone in sorted(set(last.index) - set(kept.index)):
        print(f"left out, its history ends a year before the others': {gone}")
    frame = frame[frame["unique_id"].isin(kept.index) & (frame["ds"] <= kept.min())]
    wide = frame.pivot_table(index="ds", columns="unique_id", values=targets, aggfunc="first")
    wide = wide.reindex(pd.date_range(wide.index.min(), wide.index.max(), freq="7D"))
    gaps = wide.columns[(wide.isna() & wide.ffill().notna()).any()]
    for target, unique_id in gaps:
        print(f"left out, weeks are missing: {unique_id} {target}")
    wide = wide.drop(columns=gaps)
    names = tuple(series_name(unique_id, target) for target, unique_id in wide.columns)
    return Panel(names=names, weeks=pd.DatetimeIndex(wide.index), values=wide.to_numpy(dtype=float).T)


def original_prophet(panel):
    """Prophet as the original system set it: yearly, weekly, multiplicative, on counts, taken as it comes."""
    import logging

    from prophet import Prophet

    for name in ("cmdstanpy", "prophet"):
        logging.getLogger(name).setLevel(logging.ERROR)
    answer = []
    for values in panel.values:
        there = np.isfinite(values)
        model = Prophet(
            yearly_seasonality=True, weekly_seasonality=True, daily_seasonality=False,
            seasonality_mode="multiplicative", uncertainty_samples=0,
        )  # fmt: skip
        model.fit(pd.DataFrame({"ds": panel.weeks[there], "y": values[there]}), seed=0)
        answer.append(model.predict(model.make_future_dataframe(HORIZON, freq="7D"))["yhat"].to_numpy()[-HORIZON:])
    return np.array(answer)


def tell(trials):
    for trial in trials:
        if trial.kept or trial.difference < 0:
            kept = "kept" if trial.kept else "    "
            print("   ", kept, trial.family, dict(trial.options), f"{trial.difference:+.3f} ± {trial.error:.3f}")


def pool_alone(held, nature):
    """Of bounds no other part than the pool's."""
    return replace(held, nature=replace(held.nature, own=None)), replace(nature, own=None)


def at(panel, recipe, *, target, alone, budget):
    """Forecast the weeks after a panel: who → statistic → [series of the target, step]."""
    families = [forecasters.find(name) for name in recipe]
    older, newer = validate(panel, families, folds.plan(len(panel.weeks), horizon=HORIZON), say=lambda _: None)
    families, trials = improve(panel, families, (older, newer), budget, Search())
    tell(trials)
    plain = deepcopy(newer)
    for part in (older, newer):
        holidays.on_folds(panel, part, families)
    choice, every = choose.choose(older, families), np.zeros(len(panel.names), dtype=np.intp)
    rows = np.array([row for row, name in enumerate(panel.names) if split_name(name)[1] == target])
    made = [fit.answer(family, fit.learn(family, panel), panel, horizon=HORIZON) for family in families]
    year, alone_said = holidays.learn(panel), np.array([said[0] for said in made])
    forecasts = np.array([year.told(family, said, panel) for family, said in zip(families, alone_said, strict=True)])
    nature = calibrate.describe(panel.values)

    def answer(some, held_out=newer, forecasts=forecasts, parts=lambda *both: both):
        held, now = parts(hold_out(panel, held_out, some), nature)
        told = None if some.tells is None else year.ahead(made[some.tells][1:], panel)
        said = calibrate.apply(calibrate.learn(held), point=some.point(forecasts), nature=now, told=told)
        return {name: values[rows] for name, values in (said | {"mean": some.mean(forecasts, said["mean"])}).items()}

    answers = {"release": answer(choice)}
    print("    ensemble of", *(recipe[index] for index in choice.members), flush=True)
    for index, family in enumerate(families):
        single = choose.Choice(families=newer.families, family=every + index, members=(index,), expects=None)
        answers[family.name] = answer(single, plain, alone_said, pool_alone)
        if family.expects:
            answers[family.name]["mean"] = alone_said[index][rows]
        else:
            answers[f"({family.name} as a release)"] = answer(
                replace(single, expects=choice.expects, whole=choice.whole, tells=choice.tells)
            )
    if choice.families[-1] == "ensemble":
        answers["(ensemble for all)"] = answer(replace(choice, family=every + len(families)))
    own = np.nan_to_num(np.nanmean(older.mase(), axis=2), nan=np.inf).argmin(axis=0)
    answers["(own winner on the folds)"] = answer(replace(choice, family=own, expects=None))
    for name in alone:
        answers |= _alone(panel, rows, name)
    return answers


@dataclass
class Weeks:
    """What happened after each cutoff, [cutoff, series, step]; scale and size as known at the cutoff."""

    actual: np.ndarray
    scale: np.ndarray
    size: np.ndarray


def measure(answers, weeks):
    """Scores per series, mean over cutoffs: score → [series]; coverage by size as plain shares."""
    units = np.where(weeks.scale > 0, weeks.scale, np.nan)[..., None]
    error = (answers["median"] - weeks.actual) / units
    mean_error = (answers["mean"] - weeks.actual) / units
    result = {
        "MASE": np.abs(error).mean(axis=2),
        "RMSSE": np.sqrt((mean_error**2).mean(axis=2)),
        "bias": mean_error.mean(axis=2),
    }
    for size, name in enumerate(calibrate.SIZES):
        result[f"MASE {name}"] = np.where(weeks.size == size, result["MASE"], np.nan)
    if "lo_80" in answers:
        loss = [2 * pinball(weeks.actual, answers[name], share) for name, share in QUANTILES.items()]
        result["SPL"] = (np.mean(loss, axis=0) / units).mean(axis=2)
        for level in ("80", "95"):
            inside = hindsight.covered(weeks.actual, answers[f"lo_{level}"], answers[f"hi_{level}"]).mean(axis=2)
            result[f"cov{level}"] = inside
            for size, name in enumerate(calibrate.SIZES):
                result[f"cov{level} {name}"] = np.where(weeks.size == size, inside, np.nan)
    return result


def pinball(actual, forecast, share):
    error = actual - forecast
    return np.maximum(share * error, (share - 1) * error)


def ratio(ours, theirs, *, seed=0, draws=2000):
    """Ratio of means over series, with the 95 % interval of a paired bootstrap over series."""
    ours, theirs = np.nanmean(ours, axis=0), np.nanmean(theirs, axis=0)
    known = np.isfinite(ours) & np.isfinite(theirs)
    ours, theirs = ours[known], theirs[known]
    picks = np.random.default_rng(seed).integers(0, len(ours), (draws, len(ours)))
    spread = ours[picks].mean(axis=1) / theirs[picks].mean(axis=1)
    lo, hi = np.quantile(spread, [0.025, 0.975])
    return f"{ours.mean() / theirs.mean():.3f} [{lo:.3f}, {hi:.3f}]"


def mean_of(values, *, seed=0, draws=2000):
    """Mean of [cutoff, series], with the 95 % interval of a bootstrap over cutoffs and over series: weeks of one share their noise."""
    rng, known = np.random.default_rng(seed), np.isfinite(values)
    cutoffs, series = (rng.multinomial(count, np.full(count, 1 / count), draws) for count in values.shape)
    total, count = (np.einsum("dc,cs,ds->d", cutoffs, some, series) for some in (np.nan_to_num(values), known))
    means = total[count > 0] / count[count > 0]
    lo, hi = np.quantile(means, [0.025, 0.975])
    return f"{np.nanmean(values):.3f} [{lo:.3f}, {hi:.3f}]"


def overall(values):
    """Mean over cutoffs, then over series."""
    with np.errstate(all="ignore"):
        per_series = scores.mean(values.T)
    return float(np.nanmean(per_series))


def run(panel, *, target, alone, cutoffs, keep, budget):
    rows = np.array([row for row, name in enumerate(panel.names) if split_name(name)[1] == target])
    collected, actual, scale, size = {}, [], [], []
    for back in range(cutoffs, 0, -1):
        cut = len(panel.weeks) - back * APART
        known = panel.until(cut)
        print(f"cutoff {known.weeks[-1]:%Y-%m-%d}", flush=True)
        tried = f"-{budget.trials}" if budget.trials else ""
        kept = keep / f"{panel.digest()[:12]}-{target}-{cut}{tried}.npz" if keep else None
        if kept and kept.exists():
            loaded = np.load(kept)
            said = {}
            for key in loaded.files:
                who, statistic = key.split("|")
                said.setdefault(who, {})[statistic] = loaded[key]
            for name in [name for name in alone if name not in said]:
                said |= _alone(known, rows, name)
        else:
            said = at(known, RECIPE, target=target, alone=alone, budget=budget)
        if kept:
            keep.mkdir(parents=True, exist_ok=True)
            np.savez(kept, **{f"{who}|{name}": values for who, some in said.items() for name, values in some.items()})
        for who, some in said.items():
            for statistic, values in some.items():
                collected.setdefault(who, {}).setdefault(statistic, []).append(values)
        actual.append(panel.values[rows, cut : cut + HORIZON])
        scale.append(scores.naive_scale(known.values[rows]))
        size.append(calibrate.describe(known.values[rows]).size)
    weeks = Weeks(np.array(actual), np.array(scale), np.array(size))
    return {
        who: measure({name: np.array(values) for name, values in some.items()}, weeks)
        for who, some in collected.items()
    }


def _alone(known, rows, name):
    part = known.only(rows)
    median = (
        original_prophet(part) if name == "prophet_original" else predict(forecasters.find(name), part, horizon=HORIZON)
    )
    return {name: {"median": median, "mean": median}}


def show(measured):
    columns = ["MASE", "MASE busy", "MASE mid", "MASE sparse", "SPL", "RMSSE", "bias", "cov80", "cov95"]
    print(f"\n{'':26s}" + "".join(f"{column:>13s}" for column in columns))
    for who, result in sorted(measured.items(), key=lambda item: overall(item[1]["MASE"])):
        cells = [f"{overall(result[column]):13.4f}" if column in result else f"{'-':>13s}" for column in columns]
        print(f"{who:26s}" + "".join(cells))
    ours = measured["release"]
    singles = {who: result for who, result in measured.items() if who != "release" and not who.startswith("(")}

    def best(score):
        return min((who for who in singles if score in singles[who]), key=lambda who: overall(singles[who][score]))

    print()
    for score, wanted in (("MASE", 0.98), ("SPL", 0.98), ("RMSSE", 0.99)):
        who = best(score)
        print(f"{score} / best single family ({who}): {ratio(ours[score], singles[who][score])}   wanted <= {wanted}")
    if "prophet_original" in singles:
        print(
            f"MASE / Prophet as first set: {ratio(ours['MASE'], singles['prophet_original']['MASE'])}   wanted <= 0.72"
        )
    print(f"bias of the mean: {overall(ours['bias']):+.3f}   wanted within 0.05")
    for name in calibrate.SIZES:
        who = best(f"MASE {name}")
        share = overall(ours[f"MASE {name}"]) / overall(singles[who][f"MASE {name}"])
        print(f"{name}: MASE / its best family ({who}) {share:.3f} (wanted <= 1.02)")
    for size in ("", *(f" {name}" for name in calibrate.SIZES)):
        narrow, wide = (mean_of(ours[f"cov{level}{size}"]) for level in ("80", "95"))
        print(f"covers{size}: {narrow} (wanted .78 to .83), {wide} (.94 to .96)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, default=DATA)
    parser.add_argument("--target", default="commits")
    parser.add_argument(
        "--alone", nargs="*", default=[*ALONE, "prophet_original"], help="families scored beside, one fit per cutoff"
    )
    parser.add_argument("--cutoffs", type=int, default=CUTOFFS)
    parser.add_argument("--keep", type=Path, help="keep each cutoff's forecasts here and go on where a run was stopped")
    parser.add_argument("--trials", type=int, default=0, help="other settings of the families to try at each cutoff")
    options = parser.parse_args()
    budget = Budget(trials=options.trials)
    panel = read(options.csv)
    if options.target not in (there := sorted({split_name(name)[1] for name in panel.names})):
        parser.error(f"--target: no series of {options.target!r}; there are: {', '.join(there)}")
    print(
        f"{len(panel.names)} series, {len(panel.weeks)} weeks to {panel.weeks[-1]:%Y-%m-%d}; scored: {options.target}"
    )
    show(
        run(
            panel, target=options.target, alone=options.alone, cutoffs=options.cutoffs, keep=options.keep, budget=budget
        )
    )


if __name__ == "__main__":
    main()
