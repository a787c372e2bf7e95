"""The plain rule: a score from ratings and latency on each track, compared as a ratio. Missing is never zero."""

import math
from typing import Final

from ratchet.contracts.policy import CompositePolicy, Decision, Evidence, TrackEvidence, Verdict

DIGITS: Final = 12
"""A ratio that is 1.05 in arithmetic is not above it because binary fractions make it 1.0500000000000003."""


def decide(evidence: Evidence, policy: CompositePolicy) -> Decision:
    """Promote or roll back only on complete and sufficient evidence from both tracks; everything else holds."""
    tracks = {"candidate": evidence.candidate, "production": evidence.production}
    gaps = [gap for track, seen in tracks.items() for gap in _gaps(track, seen, policy)]
    if gaps:
        return Decision(verdict=Verdict.HOLD, reason="; ".join(gaps), scores={})
    scores = {track: _score(seen, policy) for track, seen in tracks.items()}
    if scores["production"] <= 0:
        return Decision(verdict=Verdict.HOLD, reason="production scores 0: no ratio can be formed", scores=scores)
    return _judge({**scores, "ratio": scores["candidate"] / scores["production"]}, policy)


def _judge(scores: dict[str, float], policy: CompositePolicy) -> Decision:
    figures = f"candidate {scores['candidate']:.4f} / production {scores['production']:.4f} = {scores['ratio']:.4f}"
    ratio = round(scores["ratio"], DIGITS)
    if ratio > policy.promote_above:
        reason = f"{figures}, above {policy.promote_above:g}"
        return Decision(verdict=Verdict.PROMOTE, reason=reason, scores=scores)
    if ratio < policy.rollback_below:
        reason = f"{figures}, below {policy.rollback_below:g}"
        return Decision(verdict=Verdict.ROLLBACK, reason=reason, scores=scores)
    reason = f"{figures}, between {policy.rollback_below:g} and {policy.promote_above:g}"
    return Decision(verdict=Verdict.HOLD, reason=reason, scores=scores)


def _score(seen: TrackEvidence, policy: CompositePolicy) -> float:
    """Between 0 and the sum of the weights. Only for a track without gaps."""
    if seen.rating is None or seen.latency_ms is None:
        raise ValueError("a track with gaps has no score")
    speed = max(0.0, (policy.latency_budget_ms - seen.latency_ms) / policy.latency_budget_ms)
    return policy.rating_weight * seen.rating / 5 + policy.latency_weight * speed


def _gaps(track: str, seen: TrackEvidence, policy: CompositePolicy) -> list[str]:
    """Why this track cannot be judged yet, in words; empty if it can."""
    gaps = [
        _shortfall(track, "requests", seen.requests, policy.min_requests),
        _shortfall(track, "ratings", seen.ratings, policy.min_ratings),
    ]
    few_ratings = gaps[1] is not None
    if not few_ratings and not _is_known(seen.rating):
        gaps.append(f"{track} rating is missing")
    if not _is_known(seen.latency_ms):
        gaps.append(f"{track} latency is missing")
    return [gap for gap in gaps if gap]


def _shortfall(track: str, what: str, count: float | None, minimum: int) -> str | None:
    if count is None or not math.isfinite(count):
        return f"{track} {what} are missing"
    return f"{track} has {count} of {minimum} {what}" if count < minimum else None


def _is_known(figure: float | None) -> bool:
    return figure is not None and math.isfinite(figure)
