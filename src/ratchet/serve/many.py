"""Many series of an open release at once: one search over the mapped keys, one copy per statistic."""

from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from ratchet.contracts.release import STATISTICS, series_key, series_name
from ratchet.serve.release import DIGITS, OpenRelease


def find_rows(opened: OpenRelease, series: Sequence[tuple[str, str]]) -> list[int | None]:
    """Return each series' row, None where the release does not know it."""
    wanted = np.array([series_key(unique_id, target) for unique_id, target in series], dtype=np.uint64)
    rows = np.minimum(opened.keys.searchsorted(wanted), len(opened.keys) - 1)
    starts, ends = opened.offsets[rows].tolist(), opened.offsets[rows + 1].tolist()
    # The name alone decides: a key that is not there, or that two names share, points at another name.
    return [
        row if opened.names[start:end] == series_name(*one).encode() else None
        for row, start, end, one in zip(rows.tolist(), starts, ends, series, strict=True)
    ]


def render_rows(opened: OpenRelease, rows: Sequence[int], horizons: Sequence[int]) -> Iterator[bytes]:
    """Say what `OpenRelease.forecast` says of each row, to the digit, as JSON."""
    if not rows:
        return
    wanted, longest = np.asarray(rows, dtype=np.intp), max(horizons)
    figures = np.stack([statistic[wanted, :longest] for statistic in opened.statistics], axis=-1)
    # A float32 times 1000 is exact in float64, so this rounds as `round` does.
    exact = np.round(figures.astype(np.float64), DIGITS).reshape(len(rows), -1)
    # All figures are written in one go and put into their places as text: no object is made for any of them.
    lines = orjson.dumps(exact, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")
    forms = {horizon: _form(opened.weeks[:horizon]) for horizon in set(horizons)}
    for horizon, line in zip(horizons, lines, strict=True):
        yield forms[horizon] % tuple(line.split(b",")[: horizon * len(STATISTICS)])


def _form(weeks: Sequence[str]) -> bytes:
    """Return weeks as JSON, with a gap for each figure."""
    gaps = ",".join(f'"{name}":%b' for name in STATISTICS)
    return ("[" + ",".join(f'{{"week":"{week}",{gaps}}}' for week in weeks) + "]").encode()
