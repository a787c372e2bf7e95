"""How often the bounds of a forecast from a posted history hold, by the history's length: `short_histories.py RELEASE/posted.json`.

Series of counts with a drawn level: Poisson, bursty (negative binomial, size 3), very bursty (size 1), and moderately bursty around a
level that drifts by 5 % a week. Shares of the eight weeks that follow, 1,500 series each.
"""

import json
import sys
from pathlib import Path

import numpy as np

from ratchet import posted

SERIES, HORIZON = 1500, 8
KINDS = {"Poisson": (1e6, 0.0), "bursty": (3.0, 0.0), "very bursty": (1.0, 0.0), "drifting": (10.0, 0.05)}


def draw(rng, weeks, *, size, drift):
    level = rng.lognormal(2.5, 1.2) * np.exp(np.cumsum(rng.normal(0, drift, weeks)))
    return rng.negative_binomial(size, size / (size + level)).astype(float)


def coverage(yardstick, known, *, size, drift):
    rng, held = np.random.default_rng(3), {"80": 0.0, "95": 0.0}
    for _ in range(SERIES):
        counts = draw(rng, known + HORIZON, size=size, drift=drift)
        said, came = posted.forecast(counts[:known], HORIZON, yardstick), counts[known:]
        for level in held:
            low, high = (np.array(said[f"{side}_{level}"]) for side in ("lo", "hi"))
            held[level] += ((low <= came) & (came <= high)).mean() / SERIES
    return held


def main():
    yardstick = posted.Yardstick.from_json(json.loads(Path(sys.argv[1]).read_text()))
    for known in (1, 2, 4, 8, 13, 26, 52):
        found = {name: coverage(yardstick, known, size=size, drift=drift) for name, (size, drift) in KINDS.items()}
        told = ", ".join(f"{name} {held['80']:.0%} / {held['95']:.0%}" for name, held in found.items())
        print(f"{known:3} weeks known: share within the 80 % / 95 % bounds: {told}")


if __name__ == "__main__":
    main()
