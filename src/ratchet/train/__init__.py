"""Gold as of an hour to a release: panel, folds, fit, select, calibrate, report, bundle."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ratchet import forecasters
from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster
from ratchet.contracts.release import LAYOUT, Card
from ratchet.contracts.workload import Workload
from ratchet.train import bundle, folds
from ratchet.train.accepting import accept, newest_seen
from ratchet.train.code import code_version
from ratchet.train.crew import Crew, hire, in_process
from ratchet.train.panel import Panel
from ratchet.train.remember import remembering
from ratchet.train.running import Running
from ratchet.train.search import Budget, lay_out_ahead
from ratchet.train.stages import hold_out, make
from ratchet.train.validation import do

__all__ = ["Budget", "code_version", "hire", "hold_out", "remembering", "train", "validate_share"]

Say = Callable[[str], None]


def train(  # noqa: PLR0913 - all of it is the release's identity, but for where it goes and who watches
    history: pd.DataFrame,
    *,
    workload: Workload,
    recipe: tuple[str, ...],
    data_hour: datetime,
    code_version: str,
    synthetic: bool,
    out: Path,
    gold: str = "",
    progress: Say | None = None,
    crew: Crew = in_process,
    vintages: pd.DataFrame | None = None,
    budget: Budget = Budget(),  # noqa: B008 - it is frozen
) -> Card:
    """Make the release `out/<release_id>`: same inputs, same id and bytes; one that is there and whole stays as it is.

    Each series that cannot be trained on is in the card's `rejected` with its reason; `DataError` only if none is left,
    or if the recipe or the hour makes no sense. `gold` is the digest of what the history was read from, for the card.
    With `vintages` each fold learns from what was known at its cutoff; what happened is always what the history says.
    """
    say = progress or (lambda _: None)
    families = _families(recipe, season_length=workload.season_length)
    if data_hour.tzinfo is None:
        raise DataError("data_hour must carry a time zone")
    panel, rejected = accept(history, targets=workload.targets, data_hour=data_hour, vintages=vintages)
    card = Card(
        release_id="",
        workload=workload.name,
        id_name=workload.id_name,
        targets=workload.targets,
        horizon=workload.horizon,
        data_hour=data_hour.astimezone(UTC),
        code_version=code_version,
        recipe=recipe,
        series=len(panel.names),
        synthetic=synthetic,
        rejected=rejected,
        layout=LAYOUT,
        trials=budget.trials,
        seconds=budget.seconds if budget.trials else 0.0,
    )
    card = replace(
        card,
        release_id=_identify(card, panel, workload),
        gold=gold,
        seen=newest_seen(history, data_hour),
    )
    del history, vintages  # rows take more room than all that is learnt from them, and the panel has it
    folder = out / card.release_id
    if there := bundle.find(folder):
        say(f"{card.release_id}: already trained")
        return there
    say(f"{card.release_id}: {len(panel.names)} series, {len(rejected)} rejected, {len(panel.weeks)} weeks")
    running = Running(crew=crew, say=say)
    content = make(panel, families, card, workload=workload, running=running)
    with running.stage("write"):
        card = bundle.write(content, folder)
    running.write(folder)
    return card


def validate_share(  # noqa: PLR0913 - what `train` takes, as far as validation depends on it
    history: pd.DataFrame,
    *,
    workload: Workload,
    recipe: tuple[str, ...],
    data_hour: datetime,
    share: slice,
    crew: Crew,
    progress: Say,
    vintages: pd.DataFrame | None = None,
    budget: Budget = Budget(),  # noqa: B008 - it is frozen
) -> int:
    """Do some of the jobs with which `train` validates and searches, so that a crew that remembers has them done; how many they were.

    Shares may be done anywhere, in any order and at the same time. What is not done by then `train` does itself.
    """
    families = _families(recipe, season_length=workload.season_length)
    panel, _ = accept(history, targets=workload.targets, data_hour=data_hour, vintages=vintages)
    pieces = lay_out_ahead(panel, families, folds.of(panel, horizon=workload.horizon), budget)[share]
    for _ in do(panel, pieces, crew=crew, say=progress):
        pass
    return len(pieces)


def _families(recipe: tuple[str, ...], *, season_length: int) -> list[Forecaster]:
    if not recipe or len(set(recipe)) < len(recipe):
        raise DataError(f"a recipe names at least one family, and none twice: {recipe!r}")
    return [forecasters.find(name, season_length=season_length) for name in recipe]


def _identify(card: Card, panel: Panel, workload: Workload) -> str:
    remembered = [workload.drift.reference_weeks, workload.drift.recent_weeks]
    identity = json.dumps([card.to_json(), workload.season_length, remembered, panel.digest()])
    return f"{card.data_hour:%Y%m%dT%H}-{hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()}"
