"""Where releases belong, from an experiment's state alone: the aliases, the share and the split. Acting moves the world there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.ports import Experiment
from ratchet.decide.state import ON_TRIAL, Stage, State, is_shadowed, share

SALTS: Final = 16
BEATEN: Final = "beaten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which release is behind which alias, what percent of clients the candidate's track gets, and which of them."""

    production: str | None
    """The `release_id`s behind the aliases; None for an empty track."""
    candidate: str | None
    percent: int
    salt: int


def place(experiment: Experiment, state: State, policy: EvidencePolicy, *, at: datetime) -> Placement:
    """The placement that this state asks for.

    While a promotion is confirmed both aliases name the winner, so that nobody who is moved meets anything else. In the watch the
    beaten release takes the candidate's track, with the clients held back: another split than the trial's, so that most of them knew it.
    """
    old, new, stage = experiment.production, experiment.candidate, state.stage
    in_watch = stage is Stage.WATCH and not is_shadowed(state, policy, at)
    salt = (2 * experiment.experiment_id + in_watch) % SALTS
    if stage is Stage.WARMUP or stage in ON_TRIAL:
        return Placement(production=old, candidate=new, percent=_percent(share(state, policy, at)), salt=salt)
    if stage is Stage.PROMOTING:
        return Placement(production=new, candidate=new, percent=_percent(policy.ab_share), salt=salt)
    if in_watch:
        return Placement(production=new, candidate=old, percent=_percent(policy.watch_holdback), salt=salt)
    winner = new if stage in (Stage.WATCH, Stage.DONE) else old
    return Placement(production=winner, candidate=None, percent=0, salt=salt)


def standing(state: State) -> tuple[str, str]:
    """What the registry says of production's and of the candidate's release while an experiment is in this state."""
    if state.stage in (Stage.PROMOTING, Stage.WATCH, Stage.DONE):
        return BEATEN, "production"
    mine = {
        Stage.QUEUED: "queued",
        Stage.ROLLED_BACK: "rolled_back",
        Stage.INCONCLUSIVE: "inconclusive",
    }.get(state.stage, "trial")
    return "production", mine


def _percent(part: float) -> int:
    return round(part * 100)
