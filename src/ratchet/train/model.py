"""What a release has learnt, kept so that it can forecast again from newer weeks without learning again."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ratchet import forecasters
from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.forecaster import Forecaster, Learned
from ratchet.train import calibrate, calibration_json, holidays
from ratchet.train.choose import Choice
from ratchet.train.crew import Crew, in_process
from ratchet.train.fit import answer, learn
from ratchet.train.folds import Fold
from ratchet.train.panel import Panel
from ratchet.train.revisions import Revisions
from ratchet.train.validation import do, lay_out

Floats = NDArray[np.float64]

FILE: Final = "model.json"
FOLDER: Final = "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the families said: typical weeks [family, series, step], and bounds of the one that tells its own, [end, series, step]."""

    typical: Floats
    ends: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Families with what those that answer have learnt, which of them answers for which series, the bounds' pools, and holidays."""

    families: tuple[Forecaster, ...]
    learned: Mapping[int, Learned | None]
    choice: Choice
    calibration: calibrate.Calibration
    year: holidays.Holidays = holidays.NONE
    own_bounds: bool = True
    """Whether a part of each bound is the series' own; a release of before keeps the bounds that its card has measured."""

    def options(self) -> dict[str, dict[str, Any]]:
        """Return what differs from a family's defaults, by family."""
        own = {family.name: {**family.options} for family in self.families}
        return {name: some for name, options in own.items() if (some := _without_season(options))}

    def ask(
        self, panel: Panel, *, horizon: int, crew: Crew = in_process, say: Callable[[str], None] = lambda _: None
    ) -> Said:
        """Return what each family says; NaN for those that answer for no series."""
        typical = np.full((len(self.families), len(panel.names), horizon), np.nan)
        ends = None
        for index, answered in self._answer(panel, horizon, crew, say).items():
            said = self.year.told(self.families[index], answered, panel)
            typical[index] = said[0]
            if index == self.choice.tells and len(said) > 1:
                ends = said[1:]
        return Said(typical=typical, ends=ends)

    def _answer(self, panel: Panel, horizon: int, crew: Crew, say: Callable[[str], None]) -> dict[int, Floats]:
        """[statistic, series, step] by family. One that learns each series by itself is a fold's work, which ends with what is known."""
        everything = replace(panel, revisions=Revisions())
        alone = [index for index in self.learned if not self.families[index].pooled]
        pieces = lay_out(
            everything, [self.families[index] for index in alone], (Fold(cutoff=len(panel.weeks), horizon=horizon),)
        )
        answers = {
            index: answer(self.families[index], learned, panel, horizon=horizon)
            for index, learned in self.learned.items()
            if self.families[index].pooled
        }
        for piece, found in do(everything, pieces, crew=crew, say=say):
            index = alone[piece.index]
            if index not in answers:
                answers[index] = np.full((found.shape[1], len(panel.names), horizon), np.nan)
            answers[index][:, piece.job.rows] = found[0]
        return answers

    def by_family(self, said: Said) -> dict[str, Floats]:
        """Name what the families said that were asked, for people to compare."""
        return {self.families[index].name: said.typical[index] for index in sorted(self.learned)}

    def forecast(self, panel: Panel, said: Said) -> dict[str, Floats]:
        """Make every statistic of an issue, [series, step], of what the families said."""
        nature = calibrate.describe(panel.values)
        if not self.own_bounds:
            nature = replace(nature, own=None)
        point = self.choice.point(said.typical)
        made = calibrate.apply(self.calibration, point=point, nature=nature, told=said.ends)
        return made | {"mean": self.choice.mean(said.typical, made["mean"])}

    def files(self, panel: Panel, *, season_length: int) -> dict[str, bytes]:
        """Return what a release keeps, by file name: JSON, and each pooled family's own form. No pickles."""
        known = {
            "recipe": [family.name for family in self.families],
            "season_length": season_length,
            "needed": sorted(self.learned),
            "members": list(self.choice.members),
            "expects": self.choice.expects,
            "tells": self.choice.tells,
            "mean_in_ratio": self.choice.in_ratio,
            "mean_own": self.choice.own,
            "mean_typical": self.choice.typical,
            "fractions": [panel.names[row] for row in np.flatnonzero(~self.choice.whole)]
            if self.choice.whole is not None
            else [],
            "families": list(self.choice.families),
            "calibration": calibration_json.to_json(self.calibration),
            "holidays": self.year.to_json(),
            "own_bounds": self.own_bounds,
        }
        if options := self.options():
            known["options"] = options
        kept = {FILE: (json.dumps(known, indent=1, sort_keys=True) + "\n").encode()}
        for index, learned in self.learned.items():
            for name, content in (learned.files() if learned is not None else {}).items():
                kept[f"{FOLDER}/{self.families[index].name}/{name}"] = content
        return kept


def finish(panel: Panel, families: Sequence[Forecaster], choice: Choice, calibration: calibrate.Calibration) -> Model:
    """Learn from everything, for those families that answer for any series."""
    learned = {index: learn(families[index], panel) for index in sorted(choice.needed())}
    year = holidays.learn(panel)
    return Model(families=tuple(families), learned=learned, choice=choice, calibration=calibration, year=year)


def read(folder: Path, family: NDArray[np.intp], panel: Panel) -> Model:
    """Read what a release folder keeps; `family` is each series' index into the sorted names of the card's families."""
    try:
        known: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        options = known.get("options", {})
        recipe = [
            forecasters.find(name, season_length=known["season_length"], **options.get(name, {}))
            for name in known["recipe"]
        ]
        names = tuple(known["families"])
        place = np.array([names.index(name) for name in sorted(names)])
        choice = Choice(
            families=names,
            family=place[family],
            members=tuple(known["members"]),
            expects=known["expects"],
            whole=_whole(known, panel),
            # A release of before these were there goes on without them, as its card has measured it.
            tells=known.get("tells"),
            in_ratio=bool(known.get("mean_in_ratio", False)),
            own=float(known.get("mean_own", 0.5)),
            typical=float(known.get("mean_typical", 0.0)),
        )
        learned = {index: _read(folder, recipe[index], panel) for index in known["needed"]}
        calibration = calibration_json.from_json(known["calibration"])
        year, own = holidays.Holidays.from_json(known.get("holidays", {})), bool(known.get("own_bounds", False))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ReleaseError(f"{folder}: it keeps no model that can forecast again: {error!r}") from error
    return Model(
        families=tuple(recipe), learned=learned, choice=choice, calibration=calibration, year=year, own_bounds=own
    )


def _without_season(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "season_length"}


def _read(folder: Path, family: Forecaster, panel: Panel) -> Learned | None:
    if not family.pooled:
        return learn(family, panel)
    kept = folder / FOLDER / family.name
    files = {path.name: path.read_bytes() for path in sorted(kept.glob("*"))} if kept.is_dir() else {}
    return forecasters.read(family.name, files)


def _whole(known: dict[str, Any], panel: Panel) -> NDArray[np.bool_]:
    fractions = set(known["fractions"])
    return np.array([name not in fractions for name in panel.names], dtype=bool)
