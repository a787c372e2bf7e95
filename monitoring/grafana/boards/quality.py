"""*Forecast quality*: how right forecasts turn out, how people rate them, whether the world has changed."""

from typing import Final

from monitoring.grafana.boards.choice import EACH, R, W
from monitoring.grafana.panels import Board, Panel, line

BY: Final = "sum by (track, release)"

QUALITY: Final = Board(
    uid="ratchet-quality",
    title="Forecast quality",
    about="How right forecasts turn out, how people rate them, and whether the world has changed.",
    rows=(
        (
            "Realised",
            (
                Panel(
                    title="Realised MASE",
                    about="Error of logged forecasts on weeks that are over, by target; 1 is as wrong as repeating the last week.",
                    unit="none",
                    wide=12,
                    empty="until a week that was forecast is over and has landed",
                    queries=(
                        line(
                            "{{release}} {{target}}",
                            f'max by (release, target) (ratchet_realised_mase{{{W},release=~"$release"}})',
                        ),
                    ),
                ),
                Panel(
                    title="Realised coverage",
                    about="Share of such weeks inside the bounds, by the level that the bounds promise.",
                    unit="percentunit",
                    wide=12,
                    empty="until a week that was forecast is over and has landed",
                    queries=(
                        line(
                            "{{release}} {{target}} {{level}} %",
                            f'max by (release, target, level) (ratchet_realised_coverage{{{W},release=~"$release"}})',
                        ),
                    ),
                ),
            ),
        ),
        (
            "People",
            (
                Panel(
                    title="Ratings",
                    about="Mean of an hour.",
                    unit="none",
                    wide=12,
                    empty="while nobody rates",
                    queries=(line(EACH, f"ratchet:rating:mean1h{{{R}}}"),),
                ),
                Panel(
                    title="Ratings given",
                    about="In the last hour.",
                    unit="short",
                    wide=6,
                    queries=(line(EACH, f"{BY} (increase(ratchet_feedback_ratings_count{{{R}}}[1h]))"),),
                ),
                Panel(
                    title="Forecasts by target",
                    about="A second.",
                    unit="reqps",
                    wide=6,
                    queries=(
                        line("{{target}}", f"sum by (target) (rate(ratchet_forecasts_total{{{R}}}[$__rate_interval]))"),
                    ),
                ),
            ),
        ),
        (
            "The world",
            (
                Panel(
                    title="Drift",
                    about="Population stability index by feature; above 0.25 is a large shift.",
                    unit="none",
                    wide=12,
                    empty="until the drift DAG has looked",
                    queries=(line("{{feature}}", f"max by (feature) (ratchet_drift_score{{{W}}})"),),
                ),
                Panel(
                    title="Data age",
                    about="Since the newest data that a track answers from.",
                    unit="s",
                    wide=6,
                    queries=(
                        line("{{track}} {{release}}", f"max by (track, release) (ratchet_data_age_seconds{{{R}}})"),
                    ),
                ),
                Panel(
                    title="Release age",
                    about="Since it was trained.",
                    unit="s",
                    wide=6,
                    queries=(
                        line("{{track}} {{release}}", f"max by (track, release) (ratchet_release_age_seconds{{{R}}})"),
                    ),
                ),
            ),
        ),
    ),
)
