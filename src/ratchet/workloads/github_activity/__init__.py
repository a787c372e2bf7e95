"""How many commits, new stars, issues and pull requests each repository will see in the coming weeks."""

from pathlib import Path

from ratchet.contracts.policy import CompositePolicy
from ratchet.contracts.workload import Workload
from ratchet.workloads.github_activity.source import SAMPLE_FOLDER, sources

WORKLOAD = Workload(
    name="github_activity",
    title="GitHub activity",
    id_name="repository",
    targets=("commits", "new_stars", "issues_opened", "prs_opened"),
    season_length=52,
    horizon=26,
    families=("naive", "seasonal_naive", "window_median", "tsb", "farima", "trees", "neural"),
    more_families=("window_average", "croston", "ets", "theta", "ces", "prophet"),
    sources=sources,
    sql=Path(__file__).parent / "sql",
    policy=CompositePolicy(),
    first_recipe=("seasonal_naive",),
    sample_actuals=SAMPLE_FOLDER / "what_came_next.csv",
    dag_ids={"ingest": "ingest_github", "train_candidate": "train_candidate", "evaluate_ab": "evaluate_ab"},
)
