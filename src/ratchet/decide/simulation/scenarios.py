"""What is true in a simulated experiment. Rates are per hour and for both tracks together."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One truth, and the traffic that shows it."""

    name: str
    hours: int = 336
    share: float = 0.20
    ratings: float = 30.0
    requests: float = 300.0
    clients: float = 100.0
    effect: float = 0.0
    """Rating points that the candidate is better."""
    drift: float = 0.0
    """Rating points that everybody's mood moves by, over the whole time."""
    ramp: tuple[float, ...] = ()
    """Shares that follow each other in equal parts of the time, instead of the constant one."""
    pool: int = 0
    """So many people rate, again and again (taste has an intraclass correlation of 0.4); 0: everybody rates once."""
    weeks: int = 8
    """Weeks of paired errors before the experiment, so that errors can speak from its first look; two more land within it.

    A real trial begins with 0: only weeks that neither release was trained on count.
    """
    series: int = 100
    error_effect: float = 0.0
    """Mean score (L_prod - L_cand)/(L_prod + L_cand); 0.05 is about 10 % lower errors."""
    shock: float = 0.02
    """Standard deviation of what a week does to every series' score."""
    bad: tuple[float, float] = (0.005, 0.005)
    """Bad requests per request: production's, the candidate's."""
    bad_from: int = 0
    """The hour from which the candidate's rate holds; before it, production's."""
    burst: int = 0
    """So many requests of the candidate fail beside that, all in one minute of the first hour."""
    both_out: int = -1
    """The hour in which both tracks fail."""
    lost: float = 0.0
    """Fraction of the candidate's clients that are never counted."""
    fakes: int = 0
    """Verified people who give the candidate five stars, spread over the second day; negative: one star."""
    dark: tuple[int, int] = (0, 0)
    """Hours from, to (without it) in which metrics are missing."""


SCENARIOS: Final = (
    Scenario(name="identical"),
    Scenario(name="identical, mood +0.4", drift=0.4),
    Scenario(name="identical, 300 people rate again and again", pool=300),
    Scenario(name="identical, 5 ratings/h", ratings=5.0),
    Scenario(name="0.2 better", effect=0.2),
    Scenario(name="0.5 better", effect=0.5),
    Scenario(name="0.5 worse", effect=-0.5),
    Scenario(name="5 % bad requests", bad=(0.005, 0.05)),
)
"""What `ratchet policy compare` shows."""
