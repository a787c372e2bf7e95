"""*The loop*: what is live, what is on trial, what was decided on which evidence."""

from typing import Final

from monitoring.grafana.boards.choice import EACH, R, T, W
from monitoring.grafana.panels import Board, Panel, line, number

YET: Final = "until the first verdict"
ON_TRIAL: Final = "while nothing is on trial"

MEAN: Final = f"ratchet:rating:mean1h{{{R}}}"
SQUARES: Final = f"sum by (workload, track, release) (increase(ratchet_feedback_ratings_sum_squares_total{{{R}}}[1h]))"
COUNT: Final = f"sum by (workload, track, release) (increase(ratchet_feedback_ratings_count{{{R}}}[1h]))"
HALF: Final = f"1.96 * sqrt(clamp_min({SQUARES} / {COUNT} - {MEAN} ^ 2, 0) / {COUNT})"

LOOP: Final = Board(
    uid="ratchet-loop",
    title="The loop",
    about="What is live, what is on trial, and what was decided on which evidence.",
    rows=(
        (
            "Now",
            (
                Panel(
                    title="Live",
                    about="The release on each track.",
                    unit="none",
                    kind="table",
                    wide=8,
                    queries=(
                        line(
                            "{{track}}", f"max by (workload, track, release, release_id) (ratchet_release_info{{{T}}})"
                        ),
                    ),
                ),
                Panel(
                    title="Experiment",
                    about="Where the newest experiment stands.",
                    unit="none",
                    kind="states",
                    wide=8,
                    queries=(
                        line("{{workload}}: {{state}}", f"max by (workload, state) (ratchet_experiment_state{{{W}}})"),
                    ),
                ),
                number(
                    "On trial for",
                    "Age of the open experiment.",
                    "s",
                    f"max(ratchet_experiment_age_seconds{{{W}}})",
                    empty=ON_TRIAL,
                ),
                number(
                    "Candidate's share",
                    "Share of the clients that the router assigns.",
                    "percentunit",
                    "max(ratchet_candidate_share)",
                ),
            ),
        ),
        (
            "Decisions",
            (
                Panel(
                    title="Verdicts",
                    about="Verdicts since the exporter started, also marked on every panel.",
                    unit="none",
                    wide=12,
                    queries=(line("{{verdict}}", f"sum by (verdict) (ratchet_verdicts_total{{{W}}})"),),
                ),
                number(
                    "Since the newest verdict",
                    "The policy looks every hour.",
                    "s",
                    f"time() - max(ratchet_verdict_timestamp_seconds{{{W}}})",
                    empty=YET,
                    wide=6,
                ),
                number(
                    "Mean rating, last hour",
                    "Of all tracks.",
                    "none",
                    f"sum(increase(ratchet_feedback_ratings_sum{{{T}}}[1h])) / sum(increase(ratchet_feedback_ratings_count{{{T}}}[1h]))",
                    empty="while nobody rates",
                    wide=6,
                ),
            ),
        ),
        (
            "Evidence",
            (
                Panel(
                    title="Errors: confidence sequence",
                    about="Always-valid bounds of the candidate's relative change in paired errors; below 0 is better.",
                    unit="percentunit",
                    wide=12,
                    empty="until weeks that were forecast are over, and under the plain rule",
                    queries=(
                        line("lower bound", f'ratchet_evidence{{{W},figure="error_low"}}'),
                        line("upper bound", f'ratchet_evidence{{{W},figure="error_high"}}'),
                    ),
                ),
                Panel(
                    title="Every figure of the newest verdict",
                    about="e-values as natural logarithms, scores, counts.",
                    unit="none",
                    wide=12,
                    empty=YET,
                    queries=(line("{{figure}}", f"max by (figure) (ratchet_evidence{{{W}}})"),),
                ),
                Panel(
                    title="Ratings with their interval",
                    about="Mean of the last hour by track, and 1.96 standard errors around it.",
                    unit="none",
                    wide=24,
                    empty="while nobody rates",
                    queries=(
                        line(EACH, f"ratchet:rating:mean1h{{{R}}}"),
                        line(f"{EACH} low", f"{MEAN} - {HALF}"),
                        line(f"{EACH} high", f"{MEAN} + {HALF}"),
                    ),
                ),
            ),
        ),
    ),
)
