"""A release as an MLflow pyfunc: `(unique_id, target, horizon)` rows in, the release's own numbers out.

MLflow finds this module by its name in the model's metadata, so that nothing of a release is ever pickled.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ratchet.contracts import release as layout
from ratchet.contracts.errors import ReleaseError, UnknownSeriesError

INPUTS: Final = ("unique_id", "target", "horizon")


class ReleaseModel:
    """Answers from the newest issue in a release folder; its arrays are mapped, not read."""

    def __init__(self, folder: Path) -> None:
        issues = layout.issues_in(folder)
        if not issues:
            why = "holds no issue" if folder.is_dir() else "is not there: old releases are removed (RELEASES_KEEP)"
            raise ReleaseError(f"{folder} {why}")
        self._keys = _array(folder / layout.KEYS)
        self._offsets = _array(folder / layout.NAME_OFFSETS)
        self._names = np.memmap(folder / layout.NAMES, dtype=np.uint8, mode="r")
        self._statistics = {
            name: _array(folder / layout.issue_folder(issues[-1]) / f"{name}.npy") for name in layout.STATISTICS
        }

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002  (MLflow's signature)
        """One row per row asked for: the forecast of the week that lies `horizon` weeks ahead, 1 being the next one."""
        series = [self._find(*pair) for pair in zip(model_input["unique_id"], model_input["target"], strict=True)]
        weeks = model_input["horizon"].to_numpy() - 1
        longest = self._statistics["median"].shape[1]
        if len(weeks) and (weeks.min() < 0 or weeks.max() >= longest):
            raise ReleaseError(f"horizon must be between 1 and {longest}")
        answer = model_input[list(INPUTS)].reset_index(drop=True)
        return answer.assign(**{name: array[series, weeks] for name, array in self._statistics.items()})

    def example(self) -> pd.DataFrame:
        """Make a row that this release can answer."""
        unique_id, target = layout.split_name(self._name(0))
        return pd.DataFrame({"unique_id": [unique_id], "target": [target], "horizon": [1]})

    def _find(self, unique_id: str, target: str) -> int:
        key = np.uint64(layout.series_key(unique_id, target))
        row = int(np.searchsorted(self._keys, key))
        # Two names may share a key in a large enough world; the name itself decides.
        while row < len(self._keys) and self._keys[row] == key:
            if self._name(row) == layout.series_name(unique_id, target):
                return row
            row += 1
        raise UnknownSeriesError(f"this release holds no {target} of {unique_id}")

    def _name(self, row: int) -> str:
        end = self._offsets[row + 1] if row + 1 < len(self._offsets) else len(self._names)
        return bytes(self._names[self._offsets[row] : end]).decode()


def _load_pyfunc(path: str) -> ReleaseModel:
    """Load what MLflow asks for, given the path of the release folder."""
    return ReleaseModel(Path(path))


def _array(path: Path) -> np.ndarray[Any, Any]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
