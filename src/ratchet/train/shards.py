"""Series in shards, for families that learn each series by itself: what one job is given, and what is done again when a series changes.

A thing's shard is told by its name, whatever other things there are: one that is new or was told otherwise changes its own shard.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.release import split_name
from ratchet.train.panel import Panel

SERIES: Final = 256
"""A shard has so many at least, and mostly less than twice as many: smaller ones cost more than their work."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """Rows of a panel, in its order."""

    number: int
    of: int
    rows: NDArray[np.intp]

    def __str__(self) -> str:
        return f"shard {self.number + 1} of {self.of}"

    def own(self, panel: Panel) -> Panel:
        """Show what it has of the panel."""
        return panel if self.of == 1 else panel.only(self.rows)


def cut(panel: Panel, *, series: int = SERIES) -> list[Shard]:
    """Every series in one shard. There is a power of two of them, so that growing seldom moves anything."""
    count = 1 << max(0, (len(panel.names) // series).bit_length() - 1)
    places = np.array([_place(split_name(name)[0], count) for name in panel.names], dtype=np.intp)
    return [
        Shard(number=number, of=count, rows=rows)
        for number in range(count)
        if len(rows := np.flatnonzero(places == number))
    ]


def _place(thing: str, count: int) -> int:
    return int.from_bytes(hashlib.blake2b(thing.encode(), digest_size=8).digest()) % count
