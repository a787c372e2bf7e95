"""Drift of one feature and of all of them: arithmetic, with the dependence of time series taken for what it is.

Rows of time series are not independent: all series share a week's shocks, and a week resembles the one before. A test that
counts each of 96 series x 8 weeks as one opinion (pseudo-replication, Hurlbert 1984) calls identical data different. So w periods
are worth w / (1 + 2 sum_k (1 - k/w) rho^k) independent ones (Bayley and Hammersley 1946, JRSS Suppl. 8), and n_eff = that / between,
with the reference's own `rho` and `between` (`ratchet.reference`).

KS: D of both samples, its p from the limiting law at n_eff and m_eff, with Stephens' (1970) finite-sample term.
PSI = sum (r - s) ln(r / s) over the reference's decile bins; under no drift it is about (bins - 1) (1/n_eff + 1/m_eff) (Yurdakul and
Naranjo 2020), so it is an effect size here and never a test. All features' p values: Benjamini and Yekutieli (2001, Ann. Statist. 29,
theorem 1.3), which holds under any dependence between features.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ratchet.contracts.drift import (
    DriftAlarm,
    DriftPolicy,
    DriftReport,
    Ending,
    FeatureReference,
    Indicator,
    Observations,
)
from ratchet.reference import flatten, shares

Floats = NDArray[np.float64]

EMPTY_BIN: Final = 1e-3
TEST: Final = "ks"


def compare(reference: FeatureReference, observed: Observations) -> Indicator | None:
    """One feature now beside its reference, before any correction; None if nothing is there to compare."""
    values, period = flatten(observed)
    if len(values) == 0:
        return None
    recent = effective_size(reference, periods=len(np.unique(period)), values=len(values))
    before = effective_size(reference, periods=reference.periods, values=None)
    distance = ks_distance(np.array(reference.sketch), values)
    shift = 100.0 * (float(values.mean()) - reference.mean) / reference.mean_size if reference.mean_size else 0.0
    return Indicator(
        drift_percentage=shift,
        significant_drift=False,
        test=TEST,
        p_value=_ks_p(distance, recent, before),
        psi=psi(np.array(reference.shares), shares(values, np.array(reference.edges))),
    )


def effective_size(reference: FeatureReference, *, periods: int, values: int | None) -> float:
    """How many independent values so many periods are worth; never more than there are."""
    lags = np.arange(1, periods)
    inflation = 1.0 + 2.0 * float(((1.0 - lags / periods) * reference.rho**lags).sum())
    worth = periods / inflation / reference.between
    return worth if values is None else min(worth, float(values))


def ks_distance(one: Floats, other: Floats) -> float:
    """The largest difference between both empirical distributions, without the p that `scipy` would work out with it."""
    steps = np.concatenate([one, other])
    below = [np.searchsorted(np.sort(values), steps, side="right") / len(values) for values in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def psi(reference: Floats, recent: Floats) -> float:
    """Population stability index; an empty bin counts as a thousandth."""
    r, s = np.maximum(recent, EMPTY_BIN), np.maximum(reference, EMPTY_BIN)
    return float(((r - s) * np.log(r / s)).sum())


def adjust(p_values: Mapping[str, float]) -> dict[str, float]:
    """Benjamini and Yekutieli's adjusted p values."""
    if not p_values:
        return {}
    adjusted = stats.false_discovery_control(list(p_values.values()), method="by")
    return dict(zip(p_values, map(float, adjusted), strict=True))


def judge(
    references: Mapping[str, FeatureReference], recent: Mapping[str, Observations], policy: DriftPolicy
) -> tuple[dict[str, Indicator], dict[str, str]]:
    """All features that can be judged, and for each other one why not."""
    found = {name: compare(references[name], recent[name]) for name in sorted(references) if name in recent}
    compared = {name: indicator for name, indicator in found.items() if indicator is not None}
    p_values = adjust({name: indicator.p_value for name, indicator in compared.items()})
    judged = {name: _flag(replace(compared[name], p_value=p), policy) for name, p in p_values.items()}
    missing = {name: "no recent data" for name in references if name not in judged}
    missing |= {name: "the release has no reference of it" for name in recent if name not in references}
    return judged, missing


def confirm(report: DriftReport, earlier: Mapping[str, DriftReport], policy: DriftPolicy) -> DriftReport:
    """Whether it is drift beyond doubt: strong at one look, or seen again in data that have changed since.

    `earlier` is, for each feature, the newest report in which that feature's data were others. Looking twice at the same data, as
    daily looks at weekly data do, confirms nothing, however much else has changed since.
    """
    strong = any(
        indicator.significant_drift and indicator.p_value < policy.strong_alpha and indicator.psi >= policy.strong_psi
        for indicator in report.indicators.values()
    )
    again = any(name in earlier and name in earlier[name].drifting for name in report.drifting)
    return replace(report, confirmed=strong or again)


def ending(alarm: DriftAlarm, report: DriftReport, *, newest_data_hour: datetime | None) -> Ending | None:
    """Why an alarm ends: a release has learnt from newer data since, or its features are quiet again; None while it lasts."""
    if newest_data_hour is not None and (alarm.data_hour is None or newest_data_hour > alarm.data_hour):
        return Ending(why=f"a release has been trained on data as of {newest_data_hour:%Y-%m-%d %H:%M}", retrained=True)
    judged = all(name in report.indicators for name in alarm.features)
    if judged and not set(alarm.features) & set(report.drifting):
        return Ending(why="what drifted is as it was", retrained=False)
    return None


def _flag(indicator: Indicator, policy: DriftPolicy) -> Indicator:
    large = indicator.psi >= policy.min_psi or abs(indicator.drift_percentage) >= policy.min_shift_percent
    return replace(indicator, significant_drift=bool(large and indicator.p_value < policy.alpha))


def _ks_p(distance: float, recent: float, before: float) -> float:
    n = math.sqrt(recent * before / (recent + before))
    return float(stats.kstwobign.sf((n + 0.12 + 0.11 / n) * distance))
