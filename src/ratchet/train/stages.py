"""The stages of a training: from the series that can be trained on to what goes into a release."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ratchet.contracts.forecaster import Forecaster
from ratchet.contracts.release import Card
from ratchet.contracts.workload import Workload
from ratchet.train import bundle, calibrate, choose, evaluation, folds, hindsight, holidays, reference, report, unseen
from ratchet.train.explain import Explained, explain
from ratchet.train.model import finish
from ratchet.train.panel import WEEK, Panel
from ratchet.train.running import Running
from ratchet.train.search import Budget, Search, Trial, improve
from ratchet.train.validation import Validation, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Who answers for which series, and how that went on the newer folds, which had no say in it."""

    families: Sequence[Forecaster]
    trials: Sequence[Trial]
    choice: choose.Choice
    newer: Validation
    held: calibrate.HeldOut


def make(
    panel: Panel, families: Sequence[Forecaster], card: Card, *, workload: Workload, running: Running
) -> bundle.Content:
    """Choose among the families, calibrate their bounds, learn from everything, and measure the result."""
    say = running.say
    chosen = _choose(panel, families, card, running=running)
    choice, held, scale = chosen.choice, chosen.held, chosen.newer.scale
    say("calibrating the bounds")
    with running.stage("calibrate"):
        calibration = calibrate.learn(held)
    say(f"learning from everything: {', '.join(chosen.families[index].name for index in sorted(choice.needed()))}")
    with running.stage("learn"):
        model = finish(panel, chosen.families, choice, calibration)
        said = model.ask(panel, horizon=card.horizon, crew=running.crew, say=say)
        explained = explain(panel, chosen.families, model.learned)
    card = replace(card, options=model.options(), explains=explained.of_all())
    card, series, shown = _measure(panel, card, chosen, explained)
    del chosen  # what every family said takes more room than all that is told of it
    return bundle.Content(
        card=card,
        names=panel.names,
        family=np.argsort(np.argsort(choice.families))[choice.family],
        forecasts=model.forecast(panel, said),
        first_week=(panel.weeks[-1] + WEEK).date(),
        series=series,
        weeks=panel.ages(),
        by_family=model.by_family(said),
        posted=unseen.learn(panel, card.horizon),
        kept=model.files(panel, season_length=workload.season_length),
        reference=reference.learn(panel, held, scale, workload.drift),
        yardsticks=reference.yardsticks(panel, workload.drift),
        evaluation=shown,
    )


def _choose(panel: Panel, families: Sequence[Forecaster], card: Card, *, running: Running) -> Chosen:
    say, crew = running.say, running.crew
    with running.stage("validate"):
        older, newer = validate(panel, families, folds.of(panel, horizon=card.horizon), say=say, crew=crew)
    with running.stage("search"):
        budget = Budget(trials=card.trials, seconds=card.seconds)
        families, trials = improve(panel, families, (older, newer), budget, Search(crew=crew, say=say))
    with running.stage("choose"):
        holidays.on_folds(panel, older, families)
        holidays.on_folds(panel, newer, families)
        choice = choose.choose(older, families, counts=panel.values)
        del older  # as large as all that comes of it together
        held = hold_out(panel, newer, choice)
    return Chosen(families=families, trials=trials, choice=choice, newer=newer, held=held)


def _measure(
    panel: Panel, card: Card, chosen: Chosen, explained: Explained
) -> tuple[Card, list[dict[str, Any]], dict[str, Any]]:
    """Fill in the card, and tell of each series, and of the folds, what their files say."""
    choice, newer, held = chosen.choice, chosen.newer, chosen.held
    rehearsed = hindsight.rehearse(held)
    measured = report.measure(newer, choice, held, rehearsed)
    card = replace(
        card,
        families={name: int((choice.family == choice.families.index(name)).sum()) for name in sorted(choice.families)},
        ensemble=tuple(choice.families[index] for index in choice.members),
        expects=choice.families[choice.expects] if choice.expects is not None else "",
        scores=report.summarise(newer, choice, measured, panel.names),
        coverage=hindsight.achieved(held, rehearsed),
    )
    size = calibrate.describe(panel.values).size
    series = report.describe_series(panel, newer, measured, choice=choice, size=size, explained=explained)
    return card, series, evaluation.evaluate(panel, newer, choice, held) | evaluation.tell_search(chosen.trials)


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
