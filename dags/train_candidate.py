"""### Train: gold in, a release out, placed where it belongs.

Weekly, when gold has moved by a week, after a rollback, or by hand. `train` fits the families of the recipe over time-ordered
folds and writes a release; `register` puts it into MLflow. The first release goes straight into production (`BO1`); each later one
becomes a candidate (`CO…`): on trial if the candidate track is free, else queued. With `TRAIN_TASKS` there are `validate` tasks
that share the folds, and the settings to try, out over Airflow's workers; what one of them did not do, `train` does.

**Form:** `recipe` names the families to try (empty: the workload's own); `trials` and `seconds` say how many other settings of
theirs, and for how long; `reason` is kept in the log. **The same gold, code and form give the same release**, so a second run
changes nothing. **On failure:** nothing was registered half-way; clear the failed task.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, get_current_context, task

from ratchet import workloads
from ratchet.settings import Settings

WHY = {"scheduled": "scheduled", "asset_triggered": "gold has moved by a week"}
COUNT: dict[str, Any] = {"type": ["null", "integer"], "minimum": 0}
SECONDS: dict[str, Any] = {"type": ["null", "number"], "minimum": 0}
WORDS: dict[str, Any] = {"type": ["null", "string"], "maxLength": 200}
SHARES = range(1, Settings().train_tasks + 1)


def make(workload: str, dag_id: str, families: tuple[str, ...], more: tuple[str, ...]) -> None:
    """One training DAG for one workload."""
    gold = Asset(name=f"gold_{workload}", uri=f"ratchet://gold/{workload}")
    known = [*families, *more]
    choice = {"items": {"type": "string", "enum": known}, "uniqueItems": True, "examples": known}

    @dag(
        dag_id=dag_id,
        schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("30 2 * * 1", timezone="UTC"), assets=[gold]),
        catchup=False,  # a release of last month's gold would be of no use
        max_active_runs=1,
        default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
        doc_md=__doc__,
        params={
            "recipe": Param(
                None,
                type=["null", "array"],
                title="Families to try",
                description=f"empty: all of {', '.join(families)}",
                **choice,
            ),
            "trials": Param(
                None, title="Other settings to try", description="0: none; empty: as TRAIN_TRIALS says", **COUNT
            ),
            "seconds": Param(
                None, title="Seconds for them", description="0: no limit; empty: as TRAIN_SECONDS says", **SECONDS
            ),
            "reason": Param(None, title="Why", description="kept in the log; empty: what began the run", **WORDS),
        },
        tags=["ratchet", "train", workload],
    )
    def train_candidate() -> None:
        @task
        def validate(share: int, params: dict[str, Any] | None = None) -> int:
            from ratchet.loop import Loop

            form, loop = params or {}, Loop()
            budget = loop.budget(trials=form.get("trials"), seconds=form.get("seconds"))
            return loop.validate(workload, share=share, recipe=form.get("recipe") or (), budget=budget)

        @task(trigger_rule="all_done")  # shares spare work, and are no condition
        def train(params: dict[str, Any] | None = None) -> str:
            from ratchet.loop import Loop

            form, loop = params or {}, Loop()
            reason = form.get("reason") or WHY.get(get_current_context()["dag_run"].run_type, "by hand")
            budget = loop.budget(trials=form.get("trials"), seconds=form.get("seconds"))
            return loop.train(workload, recipe=form.get("recipe") or (), reason=reason, budget=budget)

        @task
        def register(release_id: str) -> dict[str, str]:
            from ratchet.loop import Loop

            return Loop().register(workload, release_id)

        register(release := train())
        if len(SHARES) > 1:
            validate.expand(share=[*SHARES]) >> release

    train_candidate()


for name in workloads.names():
    found = workloads.find(name)
    make(name, found.dag_id("train_candidate"), found.families, found.more_families)
