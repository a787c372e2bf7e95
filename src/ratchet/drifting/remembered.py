"""A release's own reference on disk, and what this disk and the database can say in its terms."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet import reference
from ratchet.contracts.drift import DriftPolicy, FeatureReference, Observations
from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.release import CARD, LEVELS, REFERENCE, Card, file_digest, read_names, series_name
from ratchet.observe.issued import Issued, read_issued
from ratchet.serve.release import OpenRelease, open_release

Floats = NDArray[np.float64]
Asked = Sequence[tuple[str, str, datetime, list[dict[str, Any]]]]


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What a release remembers of its data, with each series' yardsticks in the release's own order."""

    opened: OpenRelease
    """At its newest issue."""
    issued: Issued
    """All that it has issued."""
    features: Mapping[str, FeatureReference]
    expected_error: Floats
    levels: Floats
    scales: Floats
    names: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open a release's reference; a `ReleaseError` where it has none, or not the one it was trained with."""
        try:
            card = Card.from_json((folder / CARD).read_bytes())
            for name in (REFERENCE, LEVELS):
                if file_digest(folder / name) != card.checksums.get(name):
                    raise ReleaseError(f"{folder / name} differs from its checksum")
            body = json.loads((folder / REFERENCE).read_bytes())
            yardsticks = np.load(folder / LEVELS, allow_pickle=False).astype(float)
        except FileNotFoundError as error:
            raise ReleaseError(
                f"{folder.name} remembers nothing of its data ({error.filename} is not there): "
                "it is from before drift was looked for; train another"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseError(f"{folder}: its reference cannot be read: {error!r}") from error
        return cls(
            opened=open_release(folder, verify=False),
            issued=read_issued(folder),
            features={name: FeatureReference.from_json(kept) for name, kept in body["features"].items()},
            expected_error=np.array(body["expected_error"], dtype=float),
            levels=yardsticks[:, 0],
            scales=yardsticks[:, 1],
            names=read_names(folder),
        )

    def see_gold(self, frame: pd.DataFrame, policy: DriftPolicy) -> dict[str, Observations]:
        """Activity, coverage and errors of the weeks since the release's data hour.

        A series that is gone counts as silent; one that has a row without a number was not seen, which says nothing of it.
        """
        wide, unseen = self._weeks_since(frame, policy)
        if wide.shape[1] == 0:
            return {}
        values = wide.to_numpy(dtype=float)
        labels = [f"{week:%Y-%m-%d}" for week in wide.columns]
        found = reference.observe_activity(values, names=self.names, weeks=labels, levels=self.levels)
        alive = np.where(values > 0, 1.0, 0.0)
        found[reference.COVERAGE] = {
            label: tuple(alive[~unseen[:, at], at].tolist()) for at, label in enumerate(labels)
        }
        return {**found, reference.RESIDUALS: self._errors(wide)}

    def see_forecasts(self, asked: Asked) -> dict[str, Observations]:
        """What was forecast, beside each series' usual week, by the data that it was made from; each series once, as it was last."""
        rows = {name: row for row, name in enumerate(self.names)}
        newest = {
            row: (data_hour.astimezone(UTC).isoformat(), np.array([float(week["median"]) for week in weeks]))
            for unique_id, target, data_hour, weeks in sorted(asked, key=itemgetter(2))
            if (row := rows.get(series_name(unique_id, target))) is not None
        }
        by_issue: dict[str, list[float]] = defaultdict(list)
        for row, (issue, medians) in newest.items():
            by_issue[issue].append(float(reference.relate_forecast(medians, self.levels[row])))
        return {reference.PREDICTIONS: {issue: tuple(values) for issue, values in by_issue.items()}} if by_issue else {}

    def see_issue(self) -> dict[str, Observations]:
        """The newest forecasts as they are on disk, each series once, whether anybody asked or not."""
        values = reference.relate_forecast(self.opened.statistics[1].astype(float), self.levels)
        return {reference.PREDICTIONS: {self.opened.data_hour.isoformat(): tuple(values.tolist())}}

    def _weeks_since(self, frame: pd.DataFrame, policy: DriftPolicy) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """[series, week] of the newest weeks of which anything was seen, and where a series was not."""
        trained_until = pd.Timestamp(self.opened.card.data_hour.astimezone(UTC).date())
        recent = frame[frame["ds"] > trained_until]
        names = [series_name(str(i), str(t)) for i, t in zip(recent["unique_id"], recent["target"], strict=True)]
        recent = recent.assign(name=names, unseen=recent["y"].isna())
        wide = recent.pivot_table(index="name", columns="ds", values="y", aggfunc="first").reindex(list(self.names))
        wide = wide.iloc[:, -policy.recent_weeks :]
        unseen = recent.pivot_table(index="name", columns="ds", values="unseen", aggfunc="first")
        return wide, unseen.reindex(index=wide.index, columns=wide.columns).eq(other=True).to_numpy()

    def _errors(self, wide: pd.DataFrame) -> Observations:
        """Of each week by the newest issue that did not know it. All of them are wrong together, so they are one period."""
        found = [(place, self.issued.before(pd.Timestamp(week).date())) for place, week in enumerate(wide.columns)]
        told = [(place, *issue) for place, issue in found if issue is not None]
        if not told or not len(self.expected_error):
            return {}
        columns, steps = [place for place, _, _ in told], [step for _, _, step in told]
        expected = self.expected_error[np.minimum(steps, len(self.expected_error) - 1)]
        said = np.array([issue.forecasts[:, step] for _, issue, step in told], dtype=float).T
        errors = reference.residuals(wide.to_numpy(dtype=float)[:, columns], said, scale=self.scales, expected=expected)
        newest = max(issue.data_hour for _, issue, _ in told)
        return {newest.isoformat(): tuple(errors[np.isfinite(errors)].tolist())}
