from dataclasses import replace

import numpy as np
import pytest

from ratchet import forecasters
from ratchet.contracts.errors import DataError
from ratchet.train.fit import predict
from ratchet.train.folds import Fold, plan, split
from ratchet.train.validation import validate

FAMILIES = ("seasonal_naive", "ets", "theta")


def families():
    return [forecasters.find(name) for name in FAMILIES]


def silent(_):
    pass


def validated(panel, families, folds):
    """All folds in one, oldest first."""
    older, newer = validate(panel, families, folds, say=silent)
    if not split(folds):
        return newer
    parts = {name: [getattr(part, name) for part in (older, newer)] for name in ("actual", "scale")}
    forecasts = np.concatenate([older.forecasts, newer.forecasts], axis=1)
    return replace(
        newer, folds=folds, forecasts=forecasts, **{name: np.concatenate(two) for name, two in parts.items()}
    )


def test_a_planted_future_changes_no_forecast(panel_of, counts):
    """Everything after the newest cutoff becomes garbage: every fold's forecasts stay equal to the last byte."""
    values, folds = counts(5, 80, seed=1), plan(80, horizon=8)
    planted = values.copy()
    planted[:, folds[-1].cutoff :] = np.random.default_rng(2).integers(0, 10**6, planted[:, folds[-1].cutoff :].shape)
    honest = validated(panel_of(values), families(), folds)
    garbage = validated(panel_of(planted), families(), folds)
    assert garbage.forecasts.tobytes() == honest.forecasts.tobytes()
    assert garbage.scale.tobytes() == honest.scale.tobytes()
    assert not np.array_equal(garbage.actual, honest.actual)


@pytest.mark.parametrize("number", range(4))
def test_no_fold_sees_past_its_own_cutoff(number, panel_of, counts):
    values, folds = counts(3, 60, seed=3), plan(60, horizon=8)
    planted = values.copy()
    planted[:, folds[number].cutoff :] = 999.0
    honest = validated(panel_of(values), families(), folds)
    garbage = validated(panel_of(planted), families(), folds)
    assert garbage.forecasts[:, : number + 1].tobytes() == honest.forecasts[:, : number + 1].tobytes()


def test_a_series_too_young_for_a_fold_has_no_forecast_there(panel_of, counts):
    values = counts(2, 60, seed=4)
    values[1, :42] = np.nan
    folds = (Fold(cutoff=40, horizon=8), Fold(cutoff=50, horizon=8))
    validation = validated(panel_of(values), families(), folds)
    assert np.isfinite(validation.forecasts[:, :, 0]).all()
    assert np.isnan(validation.forecasts[:, 0, 1]).all()
    assert np.isfinite(validation.forecasts[:, 1, 1]).all()
    assert np.isnan(validation.mase()[:, 1, 0]).all()


def test_mase_is_in_units_of_what_was_known_at_the_cutoff(panel_of):
    values = np.array([[0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 5.0, 5.0]])
    naive = forecasters.find("seasonal_naive")
    validation = validated(panel_of(values), [naive], (Fold(cutoff=6, horizon=2),))
    assert validation.mase()[0, 0, 0] == pytest.approx(3 / 2)


def test_no_folds_is_a_validation_that_knows_nothing(panel_of, counts):
    validation = validated(panel_of(counts(2, 10, seed=5)), families(), ())
    assert validation.mase().shape == (3, 2, 0)


def test_progress_names_every_fold_and_family(panel_of, counts):
    said = []
    validate(panel_of(counts(2, 30, seed=6)), families(), plan(30, horizon=8), say=said.append)
    assert [line.partition(" from ")[0] for line in said[:2]] == ["1 of 24: seasonal_naive", "2 of 24: seasonal_naive"]
    assert said[8].startswith("9 of 24: ")
    assert said[8].endswith(" from week 8")
    assert len(said) == 24


@pytest.mark.parametrize("name", ["trees", "neural", "farima", "tsb"])
def test_a_global_model_never_sees_a_later_week_of_any_series(name, panel_of, counts):
    """One series' future is planted; no fold's forecast of any other series moves by a bit, before the plant's week."""
    values, folds = counts(12, 200, seed=12), plan(200, horizon=8)
    planted = values.copy()
    planted[3, folds[4].cutoff :] = 1e5
    family = [forecasters.find(name)]
    honest, garbage = (validated(panel_of(some), family, folds).forecasts for some in (values, planted))
    assert honest[:, :5].tobytes() == garbage[:, :5].tobytes()
    assert honest[:, 5:].tobytes() != garbage[:, 5:].tobytes()


def test_what_is_chosen_by_shares_no_week_with_what_calibrates(panel_of, counts):
    """Everything from the first calibration cutoff on becomes garbage: what families are chosen by stays as it was."""
    values, folds = counts(4, 160, seed=13), plan(160, horizon=26)
    planted = values.copy()
    planted[:, folds[split(folds)].cutoff :] = 7777.0
    honest, garbage = (validate(panel_of(some), families(), folds, say=silent)[0] for some in (values, planted))
    assert honest.mase().tobytes() == garbage.mase().tobytes()
    assert len(honest.folds) == split(folds) == 4
    assert np.isfinite(honest.mase()).all()


class Lazy:
    """A family that forgets a series."""

    name = "lazy"

    def learn(self, _known):
        return self

    def forecast(self, known, *, horizon):
        return np.ones((len(known.names) - 1, horizon))


def test_a_family_that_forgets_a_series_is_named(panel_of, counts):
    with pytest.raises(DataError, match="'lazy' did not forecast every series"):
        predict(Lazy(), panel_of(counts(2, 30, seed=7)), horizon=4)
