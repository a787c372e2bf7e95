"""The synthetic sample's repositories and their weekly counts, drawn from a fixed seed: the same everywhere."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

TARGETS: Final = ("commits", "new_stars", "issues_opened", "prs_opened")
WEEKS: Final = 156
WEEKS_AFTER: Final = 26
LAST_WEEK: Final = date(2026, 11, 15)

_SEED: Final = 20261115
_MOST_PER_WEEK: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """How a synthetic repository behaves. Rates are counts per week; `growth` is the log rate's yearly change."""

    name: str
    rates: tuple[float, float, float, float]
    growth: float = 0.0
    start: int = 0
    """Index of its first week."""
    wobble: float = 0.03
    """Standard deviation of a week's lasting change of the log rate."""
    shape: float = 14.0
    """Overdispersion: the variance is mean + mean² / shape."""
    silence: float = 0.0
    """Share of weeks in which nothing at all happens."""
    shift: tuple[int, float] = (0, 1.0)
    """From this week on, rates are multiplied by this."""
    season: float = 0.0
    spike_every: int = 0


REPOSITORIES: Final = tuple(
    sorted(
        (
            Repository(name="sample/busy-monolith", rates=(105, 24, 18, 34), growth=0.12),
            Repository(name="sample/busy-framework", rates=(58, 40, 24, 20), growth=0.25, wobble=0.04),
            Repository(name="sample/popular-cli", rates=(20, 46, 12, 9), growth=0.35, wobble=0.04),
            Repository(name="sample/steady-service", rates=(46, 4, 6, 15), wobble=0.025),
            Repository(name="sample/steady-sdk", rates=(22, 8, 5, 7), growth=-0.1, wobble=0.025),
            Repository(name="sample/mid-size-toolkit", rates=(15, 6, 4, 5), growth=0.2),
            Repository(name="sample/growing-database", rates=(14, 11, 5, 4), growth=0.55),
            Repository(name="sample/growing-notebook", rates=(7, 14, 3, 2.5), growth=0.6, wobble=0.04),
            Repository(name="sample/fading-framework", rates=(70, 45, 30, 24), growth=-0.55),
            Repository(name="sample/dying-plugin", rates=(40, 22, 14, 9), growth=-1.05),
            Repository(name="sample/dying-template", rates=(18, 30, 5, 4), growth=-0.9),
            Repository(name="sample/quiet-library", rates=(2.6, 1.1, 0.6, 0.7)),
            Repository(name="sample/quiet-parser", rates=(1.4, 2.2, 0.5, 0.4), growth=0.15),
            Repository(name="sample/zero-inflated-tool", rates=(6, 3, 2, 2), silence=0.55),
            Repository(name="sample/zero-inflated-scripts", rates=(4, 1.5, 1, 1), silence=0.7),
            Repository(name="sample/level-shift-up", rates=(12, 7, 4, 5), shift=(118, 2.6)),
            Repository(name="sample/level-shift-down", rates=(48, 26, 15, 17), shift=(126, 0.38)),
            Repository(name="sample/yearly-coursework", rates=(24, 12, 7, 8), season=0.9, wobble=0.015),
            Repository(name="sample/yearly-contest", rates=(16, 10, 5, 9), season=0.75, wobble=0.015),
            Repository(name="sample/release-spikes-engine", rates=(30, 18, 10, 9), growth=0.2, spike_every=13),
            Repository(name="sample/release-spikes-editor", rates=(18, 22, 8, 6), growth=-0.2, spike_every=8),
            Repository(name="sample/young-runtime", rates=(16, 20, 6, 5), growth=0.7, start=92, wobble=0.04),
            Repository(name="sample/young-agent", rates=(20, 30, 7, 6), growth=0.9, start=124, wobble=0.04),
            Repository(name="sample/newborn-prototype", rates=(9, 5, 2, 1.5), growth=0.4, start=147),
        ),
        key=lambda repository: repository.name,
    )
)


def week_ending(index: int) -> date:
    """Return the Sunday that ends week `index`; the last week of the sample is `WEEKS - 1`."""
    return LAST_WEEK + timedelta(weeks=index - (WEEKS - 1))


def draw(repository: Repository) -> dict[int, tuple[int, ...]]:
    """Draw the counts by week index, in the order of `TARGETS`, from the first week through those after the sample."""
    weeks = range(repository.start, WEEKS + WEEKS_AFTER)
    source = random.Random(f"{_SEED} {repository.name} silence")  # noqa: S311  # a reproducible sample, not a secret
    silent = [source.random() < repository.silence for _ in weeks]
    columns = [list(_column(repository, target)) for target in range(len(TARGETS))]
    return {week: tuple(0 if silent[at] else column[at] for column in columns) for at, week in enumerate(weeks)}


def _column(repository: Repository, target: int) -> Iterator[int]:
    source = random.Random(f"{_SEED} {repository.name} {TARGETS[target]}")  # noqa: S311  # a reproducible sample, not a secret
    lasting = math.log(repository.rates[target])
    for week in range(repository.start, WEEKS + WEEKS_AFTER):
        rate = min(math.exp(lasting) * _passing(repository, week), _MOST_PER_WEEK)
        yield _poisson(source, rate * source.gammavariate(repository.shape, 1 / repository.shape))
        lasting += repository.growth / 52 + source.gauss(0, repository.wobble)


def _passing(repository: Repository, week: int) -> float:
    """Return what multiplies the lasting rate in this week: level shift, time of year, release."""
    factor = repository.shift[1] if week >= repository.shift[0] else 1.0
    factor *= math.exp(repository.season * math.sin(2 * math.pi * week / 52))
    released = repository.spike_every and week % repository.spike_every == 0
    return factor * (2.4 if released else 1.0)


def _poisson(source: random.Random, mean: float) -> int:
    """Draw by inversion: one uniform number per count, so that one week's mean never moves the next draws."""
    uniform, count, term = source.random(), 0, math.exp(-mean)
    reached = term
    while reached < uniform and term > 0:
        count += 1
        term *= mean / count
        reached += term
    return count
