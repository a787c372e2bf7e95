"""Prometheus as the dashboard reads it: numbers now, and lines over time."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import httpx
import pandas as pd

from monitoring.dashboard.api import Trouble, away

POINTS: Final = 120

Labels = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The last hours, as points on a grid, so that several questions about the same time have the same points."""

    since: datetime
    until: datetime
    step: timedelta

    @classmethod
    def last(cls, hours: float) -> Self:
        """Return the hours up to now, to the second: counted back from there, so that a week's last point is none of an hour ago."""
        until = datetime.now(UTC).replace(microsecond=0)
        return cls(
            since=until - timedelta(hours=hours), until=until, step=timedelta(seconds=max(10.0, hours * 3600 / POINTS))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """One Prometheus server."""

    http: httpx.Client
    address: str

    def now(self, query: str) -> list[tuple[Labels, float]]:
        """Return what an expression says now: labels and a number, without those that are no number."""
        found = [(row["metric"], float(row["value"][1])) for row in self._ask("query", query=query)]
        return [(labels, value) for labels, value in found if math.isfinite(value)]

    def lines(self, query: str, *, span: Span, name: str) -> pd.DataFrame:
        """Return `at, line, value` over a span; `name` is the label that tells lines apart."""
        begin, end, step = span.since.timestamp(), span.until.timestamp(), span.step.total_seconds()
        found = self._ask("query_range", query=query, start=begin, end=end, step=step)
        rows = [
            (at, row["metric"].get(name, name), float(value))
            for row in found
            for at, value in row["values"]
            if math.isfinite(float(value))
        ]
        frame = pd.DataFrame(rows, columns=["at", "line", "value"])
        return frame.assign(at=pd.to_datetime(frame["at"], unit="s", utc=True))

    def _ask(self, what: str, **values: object) -> list[Any]:
        try:
            answer = self.http.post(
                f"{self.address}/api/v1/{what}", data={name: str(value) for name, value in values.items()}
            )
            body = answer.json()
            if body["status"] != "success":
                raise Trouble("Prometheus refused a query", str(body.get("error", ""))[:200])
            result: list[Any] = body["data"]["result"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise away("Prometheus", self.address, error) from error
        return result
