"""Data as comparable values, and what is remembered of them: written with a release by `train`, compared with by `decide.drift`.

Activity and forecasts are relative to the series' own mean, (y + 1) / (mean + 1), so that one busy series is not the whole distribution
and a sparse one is not all noise. A residual is |actual - forecast| in units of the series' naive error and of what validation found at
that step: 1 is as wrong as promised. Coverage is 1 where a series showed life in a week.

Values hang together, and a reference keeps by how much:

- `between` = Var(mean of a period) / Var(single values), by linearised period totals as for cluster samples (Kish 1965): 1/n for
  independent values, 1 where a period moves as one. Estimated from few periods, so widened as Student's t is wider than the normal;
- `rho` = lag-1 correlation of the periods' means, corrected for its bias in short series (Marriott and Pope 1954, Biometrika 41).

The mean and three quantiles are each asked for both; the least favourable answer counts.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ratchet.contracts.drift import FeatureReference, Observations
from ratchet.contracts.release import split_name

Floats = NDArray[np.float64]

SKETCH: Final = 401
BINS: Final = 10
MIN_PERIODS: Final = 4
"""With fewer, nobody can say how much periods differ among themselves."""
MIN_VALUES: Final = 20
MOST_RHO: Final = 0.97
PREDICTED_WEEKS: Final = 4
"""Forecasts are compared over their first weeks: the ones that most people ask for."""
PREDICTIONS: Final = "predictions"
RESIDUALS: Final = "residuals"
RATINGS: Final = "ratings"
COVERAGE: Final = "coverage"


def observe_activity(
    values: Floats, *, names: Sequence[str], weeks: Sequence[str], levels: Floats
) -> dict[str, Observations]:
    """`input.<target>` and `coverage` of [series, week] by week; NaN is a series that did not exist yet."""
    target = np.array([split_name(name)[1] for name in names])
    relative = relate(values, levels[:, None])
    found: dict[str, Observations] = {
        f"input.{name}": _by_period(relative[target == name], weeks) for name in sorted(set(target.tolist()))
    }
    alive = np.where(np.isnan(values), np.nan, np.where(values > 0, 1.0, 0.0))
    return {**found, COVERAGE: _by_period(alive, weeks)}


def relate(values: Floats, level: Floats) -> Floats:
    """Activity, or a forecast of it, beside the series' own mean."""
    return np.asarray((values + 1.0) / (level + 1.0))


def relate_forecast(medians: Floats, level: Floats) -> Floats:
    """A series' forecast of its first weeks, [..., step], as one value: its weeks are one opinion, however few series were asked for."""
    return relate(medians[..., :PREDICTED_WEEKS].mean(axis=-1), level)


def residuals(actual: Floats, forecast: Floats, *, scale: Floats, expected: Floats) -> Floats:
    """Errors beside what validation found, [series, step]; NaN where nobody can say."""
    units = scale[..., None] * expected
    return np.abs(actual - forecast) / np.where(units > 0, units, np.nan)


def remember(observed: Observations) -> FeatureReference | None:
    """What to keep of a feature, whatever its size; None where too little is known to compare with."""
    values, period = flatten(observed)
    count = len(np.unique(period))
    if count < MIN_PERIODS or len(values) < MIN_VALUES:
        return None
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    between, rho = _dependence(values, period)
    return FeatureReference(
        sketch=_rounded(np.quantile(values, np.linspace(0, 1, SKETCH), method="inverted_cdf")),
        edges=_rounded(edges),
        shares=_rounded(_shares_rounded(values, _rounded(edges))),
        mean=_round(values.mean()),
        mean_size=_round(np.abs(values).mean()),
        periods=count,
        between=_round(between),
        rho=_round(rho),
    )


def flatten(observed: Observations) -> tuple[Floats, NDArray[np.intp]]:
    """Every known value, and the number of its period, in order of time."""
    periods = sorted(observed)
    values = np.array([value for name in periods for value in observed[name]], dtype=float)
    period = np.repeat(np.arange(len(periods)), [len(observed[name]) for name in periods])
    known = np.isfinite(values)
    return values[known], period[known]


def shares(values: Floats, edges: Floats) -> Floats:
    """What each bin holds: one more than there are edges; a value on an edge is in the lower bin."""
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1) / len(values)


def _shares_rounded(values: Floats, edges: Sequence[float]) -> Floats:
    """The same of values as they would be remembered. Rounding keeps their order, so few of them need be rounded."""
    ordered = np.sort(values)
    up_to = [bisect_right(ordered, edge, key=_round) for edge in edges]
    return np.diff([0, *up_to, len(ordered)]) / len(ordered)


def digest(recent: Mapping[str, Observations]) -> str:
    """Name data by their content, thinned: what went through the tracking server and back is the same data."""
    content = sorted((name, sorted(thin(observed).items())) for name, observed in recent.items())
    return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()


def thin(observed: Observations) -> dict[str, tuple[float, ...]]:
    """The same distribution by period in at most `SKETCH` values each, small enough to send around."""
    return {period: _sketch(values) for period, values in observed.items() if values}


def _sketch(values: tuple[float, ...]) -> tuple[float, ...]:
    known = np.array(values, dtype=float)
    known = known[np.isfinite(known)]
    if len(known) > SKETCH:
        known = np.quantile(known, np.linspace(0, 1, SKETCH), method="inverted_cdf")
    return _rounded(known)


def _by_period(values: Floats, periods: Sequence[str]) -> dict[str, tuple[float, ...]]:
    columns = {period: values[:, place] for place, period in enumerate(periods)}
    return {period: tuple(column[np.isfinite(column)].tolist()) for period, column in columns.items()}


def _dependence(values: Floats, period: NDArray[np.intp]) -> tuple[float, float]:
    marks = np.quantile(values, [0.25, 0.5, 0.75])
    statistics = [values, *(np.where(values <= mark, 1.0, 0.0) for mark in marks)]
    pairs = [_of_statistic(statistic, period) for statistic in statistics if np.ptp(statistic) > 0]
    between = max((pair[0] for pair in pairs), default=1.0)
    return between, max((pair[1] for pair in pairs), default=0.0)


def _of_statistic(statistic: Floats, period: NDArray[np.intp]) -> tuple[float, float]:
    _, place, counts = np.unique(period, return_inverse=True, return_counts=True)
    # Linearised: a period with many values pulls the mean more than one with few.
    totals = np.bincount(place, statistic - statistic.mean()) / counts.mean()
    size = len(totals)
    variance = float((totals**2).sum() / (size - 1))
    raw = float((totals[1:] * totals[:-1]).sum() / max((totals**2).sum(), 1e-300))
    rho = min(max(raw + (1.0 + 3.0 * raw) / size, 0.0), MOST_RHO)
    independent = max(2.0, size * (1.0 - rho) / (1.0 + rho))
    widened = variance * float(stats.t.ppf(0.975, independent - 1) / stats.norm.ppf(0.975)) ** 2
    # Less than independent values would differ is luck.
    return min(1.0, max(widened / float(statistic.var()), 1.0 / float(counts.mean()))), rho


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(map(_round, values))


def _round(value: float) -> float:
    return float(f"{value:.6g}")
