"""Gold as of an hour to a release: panel, folds, fit, select, calibrate, report, bundle."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet import forecasters
from ratchet.contracts.errors import DataError
from ratchet.contracts.forecaster import Forecaster
from ratchet.contracts.release import Card
from ratchet.contracts.workload import Workload
from ratchet.train import bundle, calibrate, folds, report, select, unseen
from ratchet.train.fit import Validation, predict, validate
from ratchet.train.panel import WEEK, Panel, accept

__all__ = ["train"]

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
    progress: Say | None = None,
) -> Card:
    """Make the release `out/<release_id>`: same inputs, same id and bytes; one that is there and whole stays as it is.

    Each series that cannot be trained on is in the card's `rejected` with its reason; `DataError` only if none is left,
    or if the recipe or the hour makes no sense.
    """
    say = progress or (lambda _: None)
    families = _families(recipe, season_length=workload.season_length)
    if data_hour.tzinfo is None:
        raise DataError("data_hour must carry a time zone")
    panel, rejected = accept(history, targets=workload.targets, data_hour=data_hour)
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
    )
    card = replace(card, release_id=_identify(card, panel, season_length=workload.season_length))
    folder = out / card.release_id
    if there := bundle.find(folder):
        say(f"{card.release_id}: already trained")
        return there
    say(f"{card.release_id}: {len(panel.names)} series, {len(rejected)} rejected, {len(panel.weeks)} weeks")
    return bundle.write(_learn(panel, families, card, say), folder)


def _families(recipe: tuple[str, ...], *, season_length: int) -> list[Forecaster]:
    if not recipe or len(set(recipe)) < len(recipe):
        raise DataError(f"a recipe names at least one family, and none twice: {recipe!r}")
    return [forecasters.find(name, season_length=season_length) for name in recipe]


def _identify(card: Card, panel: Panel, *, season_length: int) -> str:
    identity = json.dumps([card.to_json(), season_length, panel.digest()])
    return f"{card.data_hour:%Y%m%dT%H}-{hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()}"


def _learn(panel: Panel, families: Sequence[Forecaster], card: Card, say: Say) -> bundle.Content:
    validation = validate(panel, families, folds.plan(len(panel.weeks), horizon=card.horizon), say=say)
    choice = select.pick(validation.mase())
    held = _held_out(panel, validation, choice)
    nature = calibrate.describe(panel.values)
    by_family = _forecast(panel, families, horizon=card.horizon, say=say)
    point = _chosen(by_family, families, choice)
    say("calibrating the bounds")
    used = sorted(family.name for family in families)
    family = np.array([used.index(validation.families[index]) for index in choice])
    return bundle.Content(
        card=replace(
            card,
            families={name: int((family == index).sum()) for index, name in enumerate(used)},
            scores=report.summarise(validation, choice),
            coverage=calibrate.achieved(held),
        ),
        names=panel.names,
        family=family,
        forecasts=calibrate.apply(calibrate.learn(held), point=point, nature=nature),
        first_week=(panel.weeks[-1] + WEEK).date(),
        series=report.describe_series(panel, validation, choice=choice, size=nature.size),
        weeks=panel.ages(),
        by_family=by_family,
        posted=unseen.learn(panel, validation, held.nature),
    )


def _held_out(panel: Panel, validation: Validation, choice: NDArray[np.intp]) -> calibrate.HeldOut:
    natures = [calibrate.describe(fold.known(panel).values) for fold in validation.folds]
    shape = (len(natures), len(panel.names))
    nature = calibrate.Nature(
        size=np.array([nature.size for nature in natures], dtype=np.intp).reshape(shape),
        spread=np.array([nature.spread for nature in natures], dtype=float).reshape(shape),
    )
    return calibrate.HeldOut(point=report.chosen(validation, choice), actual=validation.actual, nature=nature)


def _forecast(
    panel: Panel, families: Sequence[Forecaster], *, horizon: int, say: Say
) -> dict[str, NDArray[np.float64]]:
    """Every family on every series: people want to see what the others would have said."""
    said = {}
    for family in families:
        say(f"forecasting {len(panel.names)} series with {family.name}")
        said[family.name] = predict(family, panel, horizon=horizon)
    return said


def _chosen(
    by_family: dict[str, NDArray[np.float64]], families: Sequence[Forecaster], choice: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Each series' own family."""
    return np.array([by_family[family.name] for family in families])[choice, np.arange(len(choice))]
