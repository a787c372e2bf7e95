"""What is to be rehearsed, and what is assumed of the people in it. All of it is in the report."""

from dataclasses import dataclass, field
from enum import StrEnum

from ratchet.contracts.errors import DataError
from ratchet.contracts.policy import EvidencePolicy


class Bad(StrEnum):
    """How a planted candidate is bad."""

    BIASED = "biased"
    SLOW = "slow"
    ERRORING = "erroring"
    DRIFTING = "drifting"


MEANINGS = {
    Bad.BIASED: "forecasts one and a half times what its training said",
    Bad.SLOW: "takes longer than the latency objective for three requests in ten",
    Bad.ERRORING: "fails one request in ten",
    Bad.DRIFTING: "is halfway to what will really happen for two weeks, so that it wins; then 40 % too high, 20 % more each week",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A bad candidate in place of the one that was trained in a week of the rehearsal, counted from 1."""

    kind: Bad
    week: int

    @classmethod
    def parse(cls, text: str) -> "Plant":
        """Read `kind@week`."""
        kind, _, week = text.partition("@")
        if kind not in set(Bad) or not week.isdecimal() or int(week) < 1:
            raise DataError(
                f"--plant is one of {', '.join(Bad)}, an @ and a week from 1 on, such as biased@10: not {text!r}"
            )
        return cls(kind=Bad(kind), week=int(week))


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Simulated users. Rates are per hour, over a day whose nights are quieter."""

    requests: float = 300.0
    clients: float = 100.0
    """Seen for the first time."""
    ratings: float = 30.0
    """First ratings: each client counts once."""
    night: float = 0.5
    """How much quieter the quietest hour is than the mean, and how much louder the loudest."""
    popularity: float = 1.1
    """Exponent of Zipf's law over what is asked for."""
    mood: float = 0.8
    """Standard deviation of a rating's noise, in stars, before it is rounded and cut to 1 to 5."""
    failing: float = 0.005
    """Bad requests per request of any release that is not planted."""

    def assumptions(self) -> tuple[str, ...]:
        """All of it in words."""
        stars = f"five stars, less four times its error relative to the actual (or to 1 where that is 0), give or take {self.mood:g} stars"
        return (
            f"{self.requests:g} requests, {self.clients:g} new clients and {self.ratings:g} first ratings an hour on average",
            f"nights and days differ by {self.night:.0%} from that; each client stays on its track",
            f"what is asked for follows Zipf's law with exponent {self.popularity:g} over the series, in an order drawn from the seed",
            f"a person rates the forecast of the running week by how that week is going: {stars}",
            "a week's actuals are known to models and to the policy when it has ended, and to nobody before",
            f"{self.failing:.1%} of the requests of any release are bad",
            "nobody approves by hand; scrapes have no gaps; warming up takes an hour",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One rehearsal."""

    workload: str
    first: int
    """Index of the first week that is lived through; the release before it is trained on everything until then."""
    last: int
    recipe: tuple[str, ...]
    seed: int
    policy: EvidencePolicy
    plants: tuple[Plant, ...] = ()
    renew: bool = True
    """Every release is issued again each week, as `refresh_forecasts` would; else its forecasts age with it."""
    people: People = field(default_factory=People)
