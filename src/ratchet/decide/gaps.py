"""What is missing from a look, each with its reason. A gap is never zero: it is counted, and nothing is concluded from it."""

import math
from collections.abc import Iterator

from ratchet.contracts.look import Look, TrackCounts
from ratchet.contracts.policy import EvidencePolicy
from ratchet.decide.state import EXPOSED, Stage, State, is_shadowed, share

FEW = 10.0
"""A track is without traffic only if at least this many requests were to be expected of it."""


def find_gaps(state: State, look: Look, policy: EvidencePolicy) -> tuple[str, ...]:
    """Why this look cannot be concluded from, in words; empty where nothing is missing, or nothing is measured yet."""
    if state.stage not in EXPOSED or state.stage is Stage.PROMOTING or is_shadowed(state, policy, look.at):
        return ()
    gaps = [*look.gaps, *_count_gaps("production", look.production), *_count_gaps("candidate", look.candidate)]
    if look.hours is None:
        gaps.append("feedback is away")
    if not gaps:
        gaps += _split_gaps(state, look, policy)
    return tuple(gaps)


def is_split_due(state: State, look: Look, policy: EvidencePolicy) -> bool:
    """Whether the share in force is the one that should be; what the router does not say is taken to be right."""
    return look.share is None or abs(look.share - share(state, policy, look.at)) < 1e-6


def _count_gaps(track: str, counts: TrackCounts) -> Iterator[str]:
    figures = {
        "requests": counts.requests,
        "bad requests": counts.bad_requests,
        "new clients": counts.new_clients,
    }
    for what, figure in figures.items():
        if figure is None:
            yield f"{track} {what} are missing"
        elif not math.isfinite(figure):
            yield f"{track} {what} are {figure}"
        elif figure < 0:
            yield f"{track} {what} went backwards by {-figure:g}: a counter was reset"
    requests, bad = counts.requests, counts.bad_requests
    if requests is not None and bad is not None and bad > requests >= 0:
        yield f"{track} has more bad requests ({bad:g}) than requests ({requests:g})"


def _split_gaps(state: State, look: Look, policy: EvidencePolicy) -> Iterator[str]:
    """Only for looks whose counts are all known."""
    due = share(state, policy, look.at)
    if not is_split_due(state, look, policy):
        yield f"the split is off: {look.share:g} of the clients in force where {due:g} should be"
        return
    n0, n1 = look.production.requests or 0.0, look.candidate.requests or 0.0
    if n1 == 0 and n0 * due / (1.0 - due) >= FEW:
        yield f"candidate has no traffic beside {n0:g} requests of production"
    if n0 == 0 and due > 0 and n1 * (1.0 - due) / due >= FEW:
        yield f"production has no traffic beside {n1:g} requests of the candidate"
