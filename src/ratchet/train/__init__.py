"""Gold as of an hour to a release: panel, folds, fit, select, calibrate, report, bundle."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from ratchet import forecasters
from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster
from ratchet.contracts.release import LAYOUT, Card
from ratchet.contracts.workload import Workload
from ratchet.train import bundle, calibrate, choose, evaluation, folds, hindsight, holidays, reference, report, unseen
from ratchet.train.accepting import accept, newest_seen
from ratchet.train.code import code_version
from ratchet.train.crew import Crew, hire, in_process
from ratchet.train.explain import explain
from ratchet.train.model import finish
from ratchet.train.panel import WEEK, Panel
from ratchet.train.remember import remembering
from ratchet.train.running import Running
from ratchet.train.search import Budget, Search, improve
from ratchet.train.validation import Validation, do, lay_out, validate

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
        release_id=_identify(card, panel, season_length=workload.season_length),
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
    content = _learn(panel, families, card, season_length=workload.season_length, running=running)
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
) -> int:
    """Do some of the jobs with which `train` validates, so that a crew that remembers has them done; how many they were.

    Shares may be done anywhere, in any order and at the same time. What is not done by then `train` does itself.
    """
    families = _families(recipe, season_length=workload.season_length)
    panel, _ = accept(history, targets=workload.targets, data_hour=data_hour, vintages=vintages)
    pieces = lay_out(panel, families, _folds(panel, horizon=workload.horizon))[share]
    for _ in do(panel, pieces, crew=crew, say=progress):
        pass
    return len(pieces)


def _families(recipe: tuple[str, ...], *, season_length: int) -> list[Forecaster]:
    if not recipe or len(set(recipe)) < len(recipe):
        raise DataError(f"a recipe names at least one family, and none twice: {recipe!r}")
    return [forecasters.find(name, season_length=season_length) for name in recipe]


def _identify(card: Card, panel: Panel, *, season_length: int) -> str:
    identity = json.dumps([card.to_json(), season_length, panel.digest()])
    return f"{card.data_hour:%Y%m%dT%H}-{hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()}"


def _learn(
    panel: Panel, families: Sequence[Forecaster], card: Card, *, season_length: int, running: Running
) -> bundle.Content:
    say, crew = running.say, running.crew
    with running.stage("validate"):
        older, newer = validate(panel, families, _folds(panel, horizon=card.horizon), say=say, crew=crew)
    with running.stage("search"):
        budget = Budget(trials=card.trials, seconds=card.seconds)
        families, trials = improve(panel, families, (older, newer), budget, Search(crew=crew, say=say))
    with running.stage("choose"):
        holidays.on_folds(panel, older)
        holidays.on_folds(panel, newer)
        choice = choose.choose(older, families, counts=panel.values)
        del older  # what every family said takes more room than all that is told of it
        held = hold_out(panel, newer, choice)
    say("calibrating the bounds")
    with running.stage("calibrate"):
        calibration = calibrate.learn(held)
    say(f"learning from everything: {', '.join(families[index].name for index in sorted(choice.needed()))}")
    with running.stage("learn"):
        model = finish(panel, families, choice, calibration)
        said = model.ask(panel, horizon=card.horizon, crew=crew, say=say)
        explained = explain(panel, families, model.learned)
    rehearsed = hindsight.rehearse(held)
    measured = report.measure(newer, choice, held, rehearsed)
    used = sorted(choice.families)
    family = np.array([used.index(choice.families[index]) for index in choice.family])
    card = replace(
        card,
        families={name: int((family == index).sum()) for index, name in enumerate(used)},
        ensemble=tuple(families[index].name for index in choice.members),
        expects=families[choice.expects].name if choice.expects is not None else "",
        scores=report.summarise(newer, choice, measured, panel.names),
        coverage=hindsight.achieved(held, rehearsed),
        options=model.options(),
        explains=explained.of_all(),
    )
    size, scale = calibrate.describe(panel.values).size, newer.scale
    series = report.describe_series(panel, newer, measured, choice=choice, size=size, explained=explained)
    shown = evaluation.evaluate(panel, newer, choice, held) | evaluation.tell_search(trials)
    del newer, rehearsed
    return bundle.Content(
        card=card,
        names=panel.names,
        family=family,
        forecasts=model.forecast(panel, said),
        first_week=(panel.weeks[-1] + WEEK).date(),
        series=series,
        weeks=panel.ages(),
        by_family=model.by_family(said),
        posted=unseen.learn(panel, card.horizon),
        kept=model.files(panel, season_length=season_length),
        reference=reference.learn(panel, held, scale),
        yardsticks=reference.yardsticks(panel),
        evaluation=shown,
    )


def _folds(panel: Panel, *, horizon: int) -> tuple[folds.Fold, ...]:
    # Cutoffs stay on the same calendar weeks from one training to the next.
    spare = (panel.weeks[-1] - pd.Timestamp(0)).days // 7
    return folds.plan(len(panel.weeks), horizon=horizon, spare=spare)


def hold_out(panel: Panel, validation: Validation, choice: choose.Choice) -> calibrate.HeldOut:
    """Bring together what a choice forecast on folds, what happened, and what the series were like at each cutoff."""
    natures = [calibrate.describe(fold.known(panel).values) for fold in validation.folds]
    shape = (len(natures), len(panel.names))
    nature = calibrate.Nature(
        size=np.array([nature.size for nature in natures], dtype=np.intp).reshape(shape),
        spread=np.array([nature.spread for nature in natures], dtype=float).reshape(shape),
        own=np.array([nature.own for nature in natures]) if natures else None,
    )
    return calibrate.HeldOut(
        point=choice.point(validation.forecasts),
        actual=validation.actual,
        nature=nature,
        cutoffs=tuple(fold.cutoff for fold in validation.folds),
        told=None if choice.tells is None else validation.ends[choice.tells],
    )
