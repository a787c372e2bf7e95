"""Learning on log1p of the last three years: on activity counts it lowers error, cost and the width of intervals.

What a model cannot learn (too few weeks, no convergence, nonsense out) is forecast as a typical week of the window
instead, so that one odd series never stops a batch.
"""

import warnings

import numpy as np

from ratchet.forecasters._per_series import Floats, Learn, Learned

WINDOW = 156
MIN_WEEKS = 10
_HEADROOM = np.log(2)
_FAILURES = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


def on_log_window(learn: Learn) -> Learn:
    """Make a learner of counts from one of logs: quiet, finite, at most about twice the window's highest week."""

    def learn_counts(y: Floats) -> Learned:
        logs = np.log1p(y[-WINDOW:])
        learned = _attempt(learn, logs)

        def forecast(horizon: int) -> Floats:
            return np.asarray(np.expm1(np.minimum(_answer(learned, logs, horizon), logs.max() + _HEADROOM)))

        return forecast

    return learn_counts


def _attempt(learn: Learn, logs: Floats) -> Learned | None:
    # Models of a constant differ only in rounding noise, and some divide by its variance.
    if len(logs) < MIN_WEEKS or np.ptp(logs) == 0:
        return None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return learn(logs)
    except _FAILURES:
        return None


def _answer(learned: Learned | None, logs: Floats, horizon: int) -> Floats:
    typical = np.full(horizon, np.median(logs))
    if learned is None:
        return typical
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            answer = np.asarray(learned(horizon), dtype=float)
    except _FAILURES:
        return typical
    return answer if np.isfinite(answer).all() else typical
