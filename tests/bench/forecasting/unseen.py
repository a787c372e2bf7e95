"""Who should answer a posted history that no release knows: the level that serving uses, a median, or the network of the release?

Each repository in turn is left out of what the network learns from; then its newest weeks alone, one target at a time, are all that is
known of it, as when somebody posts them. MASE over the next eight weeks, cutoffs 48 weeks apart.
"""

import argparse
from pathlib import Path

import numpy as np
from accuracy import DATA, HORIZON, read

from ratchet import forecasters, posted, scores
from ratchet.contracts.forecaster import Known
from ratchet.contracts.release import split_name
from ratchet.train.fit import learn

LENGTHS = (13, 26, 52, 104)
BACK = (88, 40)


def answers(network, panel, row, weeks):
    """What each of the three says of one series' next weeks, from its newest weeks alone."""
    newest = panel.values[row, -weeks:]
    counts = np.full((1, len(panel.weeks)), np.nan)
    counts[0, -weeks:] = newest
    known = Known(names=(panel.names[row],), weeks=panel.weeks.to_numpy(), counts=counts)
    return {
        "level": posted.level(newest),
        "median of 13 weeks": np.nanmedian(newest[-13:]),
        "network": network.forecast(known, horizon=HORIZON)[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, default=DATA)
    panel = read(parser.parse_args().csv)
    things = np.array([split_name(name)[0] for name in panel.names])
    errors = {}
    for back in BACK:
        cut = len(panel.weeks) - back
        known = panel.until(cut)
        for thing in np.unique(things):
            network = learn(forecasters.find("neural"), known.only(np.flatnonzero(things != thing)))
            for row in np.flatnonzero(things == thing):
                scale = scores.naive_scale(known.values[row : row + 1])[0]
                if not scale > 0 or np.isfinite(known.values[row]).sum() < max(LENGTHS):
                    continue
                actual = panel.values[row, cut : cut + HORIZON]
                for weeks in LENGTHS:
                    for who, said in answers(network, known, row, weeks).items():
                        errors.setdefault((weeks, who), []).append(np.abs(said - actual).mean() / scale)
    print(f"MASE of {len(errors[LENGTHS[0], 'level'])} forecasts each")
    for weeks in LENGTHS:
        level = np.mean(errors[weeks, "level"])
        said = [f"{who} {np.mean(errors[weeks, who]):.3f}" for length, who in errors if length == weeks]
        print(f"{weeks:4d} weeks: {', '.join(said)}; network / level {np.mean(errors[weeks, 'network']) / level:.2f}")


if __name__ == "__main__":
    main()
