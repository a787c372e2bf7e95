"""How many commits, new stars, issues and pull requests each repository will see in the coming weeks."""

from datetime import timedelta
from pathlib import Path

from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.workload import Cut, Workload
from ratchet.workloads.github_activity.records import RECORDS
from ratchet.workloads.github_activity.sources import KINDS, SAMPLE_FOLDER

WORKLOAD = Workload(
    name="github_activity",
    title="GitHub activity",
    id_name="repository",
    targets=("commits", "new_stars", "issues_opened", "prs_opened"),
    season_length=52,
    horizon=26,
    families=("naive", "seasonal_naive", "window_median", "recent_median", "tsb", "farima", "trees", "neural"),
    more_families=("window_average", "croston", "ets", "theta", "ces", "prophet"),
    source_kinds=KINDS,
    records=RECORDS,
    sql=Path(__file__).parent / "sql",
    policy=EvidencePolicy(),
    first_recipe=("seasonal_naive",),
    # GitHub may show an event up to six hours late, and the archive has it in the file of the hour in which it was crawled, so what
    # belongs to a week's last hours lands with the next day's. Commits that come weeks after their author's date are beyond any
    # wait: training knows them by their vintages.
    truth_after=timedelta(days=1),
    sample_actuals=SAMPLE_FOLDER / "what_came_next.csv",
    silver={
        "events": Cut(column="created_at", by="day"),
        "items": Cut(column="created_at", by="month"),
        "rejected_events": Cut(column="hour", by="day"),
        "repositories": None,
    },
    dag_ids={
        "ingest": "ingest_github",
        "describe_gold": "describe_gold",
        "train_candidate": "train_candidate",
        "refresh_forecasts": "refresh_forecasts",
        "evaluate_ab": "evaluate_ab",
        "approve_promotion": "approve_promotion",
        "monitor_drift": "monitor_drift",
    },
)
