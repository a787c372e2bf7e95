"""The series that are learnt from, side by side, as of any week."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Known
from ratchet.train.revisions import Revisions
from ratchet.train.typical import fill

Floats = NDArray[np.float64]

MIN_WEEKS = 4
WEEK = pd.Timedelta(7, "D")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Series that end in the same week. `values` is [series, week], NaN before a series' first week, never after it.

    `values` are the newest; `revisions` say which of them were told otherwise before. Of weeks that are `unseen` too little was counted:
    their values are guesses to learn from, and nothing is scored by them.
    """

    names: tuple[str, ...]
    weeks: pd.DatetimeIndex
    values: Floats
    revisions: Revisions = field(default_factory=Revisions)
    unseen: NDArray[np.bool_] | None = None

    def until(self, weeks: int) -> Self:
        """Go back to the panel as it was after its first `weeks` weeks: nothing that came or was told later is in it.

        A week of which hardly anything had been seen is a typical one by what was known then, as it was to a training then.
        """
        told = self.revisions.until(weeks)
        values = told.newest(self.happened(0, weeks))
        guessed = np.isnan(values) & np.isfinite(self.values[:, :weeks])
        values = fill(values.copy(), guessed) if guessed.any() else values
        unseen = None if self.unseen is None else self.unseen[:, :weeks]
        return type(self)(names=self.names, weeks=self.weeks[:weeks], values=values, revisions=told, unseen=unseen)

    def and_then(self, values: Floats) -> Self:
        """Take the weeks that follow, [series, week], as if they had come true."""
        more = self.weeks[-1] + WEEK * np.arange(1, values.shape[1] + 1)
        weeks = pd.DatetimeIndex([*self.weeks, *more])
        unseen = None if self.unseen is None else np.pad(self.unseen, ((0, 0), (0, values.shape[1])))
        return replace(self, weeks=weeks, values=np.concatenate([self.values, values], axis=1), unseen=unseen)

    def happened(self, begin: int, end: int) -> Floats:
        """Return what is known to have happened from one week up to another, [series, week]; NaN where nobody can tell."""
        values = self.values[:, begin:end]
        return values if self.unseen is None else np.where(self.unseen[:, begin:end], np.nan, values)

    def newest(self, weeks: int) -> Floats:
        """Return the last weeks, [series, week]."""
        return self.values[:, -weeks:]

    def only(self, rows: NDArray[np.intp]) -> Self:
        """Keep some of its series."""
        names = tuple(self.names[row] for row in rows)
        unseen = None if self.unseen is None else self.unseen[rows]
        return replace(self, names=names, values=self.values[rows], revisions=self.revisions.only(rows), unseen=unseen)

    def ages(self) -> NDArray[np.intp]:
        """Count the weeks of each series."""
        return np.asarray(np.isfinite(self.values).sum(axis=1))

    def known(self) -> Known:
        """Say the same as families take it."""
        return Known(names=self.names, weeks=self.weeks.to_numpy(dtype="datetime64[ns]"), counts=self.values)

    def digest(self) -> str:
        """Hash every name, week, value and revision: equal panels have equal digests on every machine."""
        digest = hashlib.blake2b("\n".join(self.names).encode(), digest_size=16)
        digest.update(self.weeks.to_numpy(dtype="datetime64[s]").astype("<i8").tobytes())
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        digest.update(self.revisions.to_bytes())
        if self.unseen is not None:
            digest.update(np.packbits(self.unseen).tobytes())
        return digest.hexdigest()
