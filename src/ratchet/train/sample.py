"""Some of many series, to look at in the place of all."""

import numpy as np
from numpy.typing import NDArray


def sample(count: int, *, most: int) -> NDArray[np.intp]:
    """Draw rows evenly, at most so many, in order; always the same ones.

    Not every so-many-th one: series are in the order of their names, and that would be one target of each thing.
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))
