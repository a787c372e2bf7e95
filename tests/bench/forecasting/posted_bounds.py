"""How often the bounds of a posted history hold, and what they cost, by length of the history and by what the series is like.

Each repository in turn is left out of what the release measures its bounds by; then its newest weeks alone, one target at a time, are all
that is known of it, as when somebody posts them. Twelve cutoffs eight weeks apart, the newest 26 weeks before the end. A series is busy
from ten a week, sparse where three weeks in ten are zero; it is bursty where (variance - mean) / mean² is .5 or more, calm below .15; all
by the two years before the cutoff.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import DATA, QUANTILES, read

from ratchet import posted, scores
from ratchet.contracts.release import split_name
from ratchet.train import unseen

LENGTHS = (1, 4, 8, 13, 26, 52, 104)
STEPS, CUTOFFS, APART, CLASSES_BY = 26, 12, 8, 104
HORIZONS = {"weeks 1 to 8": slice(8), f"weeks 9 to {STEPS}": slice(8, STEPS)}
ROUNDED = 5e-4  # what serving rounds away


def measure(panel):
    return posted.Yardstick.from_json(unseen.learn(panel, STEPS))


def classes(counts):
    """The size and the burstiness of a series, from its last weeks."""
    mean, zeros = counts.mean(), (counts == 0).mean()
    burst = (counts.var() - mean) / mean**2
    size = "busy" if mean >= posted.BUSY else "sparse" if zeros >= posted.MANY_ZEROS else "mid"
    return size, "bursty" if burst >= 0.5 else "calm" if burst < 0.15 else "between"


def asked(known, row, actual, yardstick):
    """What is found of one series at one cutoff, by length of what is posted; nothing where it is too young or ever the same."""
    counts = known.values[row]
    counts = counts[np.isfinite(counts)]
    newest = counts[-CLASSES_BY:]
    if len(newest) < CLASSES_BY or not newest.any() or not (scale := scores.naive_scale(counts)) > 0:
        return
    size, burst = classes(newest)
    for weeks in LENGTHS:
        said = {name: np.array(line) for name, line in posted.forecast(newest[-weeks:], STEPS, yardstick).items()}
        loss = np.array([_pinball(actual - said[name], share) for name, share in QUANTILES.items()]).mean(axis=0)
        held = {
            level: (actual >= said[f"lo_{level}"] - ROUNDED) & (actual <= said[f"hi_{level}"] + ROUNDED)
            for level in ("80", "95")
        }
        for horizon, steps in HORIZONS.items():
            found = {level: inside[steps].mean() for level, inside in held.items()} | {
                "SPL": loss[steps].mean() / scale
            }
            yield {"horizon": horizon, "size": size, "burst": burst, "weeks": weeks, "all": "all"} | found


def left_out(panel):
    things = np.array([split_name(name)[0] for name in panel.names])
    for cut in cutoffs(panel):
        known = panel.until(cut)
        for thing in np.unique(things):
            yardstick = measure(known.only(np.flatnonzero(things != thing)))
            for row in np.flatnonzero(things == thing):
                yield from asked(known, row, panel.values[row, cut : cut + STEPS], yardstick)


def cutoffs(panel):
    return range(len(panel.weeks) - STEPS, len(panel.weeks) - STEPS - CUTOFFS * APART, -APART)


def show(found):
    for horizon, of_horizon in found.groupby("horizon", sort=False):
        columns = " ".join(f"{weeks:>11}" for weeks in LENGTHS)
        print(f"\n{horizon}: share within bounds of 80 / 95 %, by weeks posted\n{'':19}{columns}")
        for by in (["all"], ["size"], ["burst"], ["size", "burst"]):
            for name, of_class in of_horizon.groupby(by):
                means = of_class.groupby("weeks")[["80", "95", "SPL"]].mean()
                shares = " ".join(f"{row['80']:>5.3f}/{row['95']:.3f}" for _, row in means.iterrows())
                print(f"{' '.join(name):19}{shares} of {len(of_class) // len(LENGTHS)}")
        means = of_horizon.groupby("weeks")["SPL"].mean()
        print(f"{'SPL':19}{' '.join(f'{mean:>11.3f}' for mean in means)}")


def _pinball(error, share):
    return 2 * np.maximum(share * error, (share - 1) * error)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, default=DATA)
    show(pd.DataFrame(left_out(read(parser.parse_args().csv))))


if __name__ == "__main__":
    main()
