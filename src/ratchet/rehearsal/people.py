"""Simulated users: how many come in an hour, what they ask for, and how many stars they give. Everything from one seed."""

import numpy as np
from numpy.typing import NDArray

from ratchet.rehearsal.plan import People

Floats = NDArray[np.float64]


class Crowd:
    """The users of one rehearsal. An hour's draws depend on the seed and the hour alone, never on what happened before."""

    def __init__(self, people: People, *, series: int, seed: int) -> None:
        self._people, self._seed = people, seed
        order = np.random.default_rng([seed, 1]).permutation(series)
        weights = 1.0 / np.arange(1, series + 1) ** people.popularity
        self.popularity = np.empty(series)
        self.popularity[order] = weights / weights.sum()

    def hour(self, number: int) -> "Hour":
        """Who comes in hour `number` of the rehearsal."""
        rng = np.random.default_rng([self._seed, 2, number])
        busy = 1.0 - self._people.night * np.cos(2.0 * np.pi * (number % 24) / 24.0)
        return Hour(rng, self._people, busy=float(busy), popularity=self.popularity)


class Hour:
    """One hour's people. Ask in the same order and the answers are the same."""

    def __init__(self, rng: np.random.Generator, people: People, *, busy: float, popularity: Floats) -> None:
        self._rng, self._people, self._popularity = rng, people, popularity
        self.requests = int(rng.poisson(people.requests * busy))
        self.clients = int(rng.poisson(people.clients * busy))
        self.raters = int(rng.poisson(people.ratings * busy))

    def split(self, count: int, share: float) -> tuple[int, int]:
        """So many people onto production and candidate."""
        candidate = int(self._rng.binomial(count, share))
        return count - candidate, candidate

    def fail(self, requests: int, *, extra: float) -> int:
        """How many of the requests are bad."""
        return int(self._rng.binomial(requests, min(1.0, self._people.failing + extra)))

    def rate(self, count: int, *, forecast: Floats, actual: Floats) -> tuple[float, ...]:
        """Stars for so many forecasts of the running week; nobody rates what was not forecast."""
        told = np.isfinite(forecast) & np.isfinite(actual)
        if not told.any() or count == 0:
            return ()
        wanted = np.where(told, self._popularity, 0.0)
        which = self._rng.choice(len(wanted), size=count, p=wanted / wanted.sum())
        off = np.abs(forecast[which] - actual[which]) / np.maximum(actual[which], 1.0)
        mood = self._rng.normal(0.0, self._people.mood, count)
        return tuple(np.clip(np.rint(5.0 - 4.0 * off + mood), 1.0, 5.0).tolist())
