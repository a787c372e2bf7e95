"""Prometheus as the dashboard reads it: numbers now, and lines over time."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import httpx
import pandas as pd

from monitoring.dashboard.api import Trouble, away
from monitoring.dashboard.words import plain

POINTS: Final = 120
NO_NAMES: Final = ("alertname", "severity")
"""Labels of an alert that do not tell what it is of."""

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
class Alert:
    """An alert that fires, or will if it lasts: what is wrong and what to do, as its rule says."""

    name: str
    severity: str
    is_firing: bool
    since: str
    summary: str
    action: str


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

    def alerts(self) -> list[Alert]:
        """Return every alert, pages first, of those the oldest."""
        found = [_alert(row) for row in self._read("GET", "alerts", "alerts")]
        return sorted(found, key=lambda one: (one.severity != "page", one.since))

    def _ask(self, what: str, **values: object) -> list[Any]:
        return self._read("POST", what, "result", data={name: str(value) for name, value in values.items()})

    def _read(self, method: str, what: str, name: str, **how: Any) -> list[Any]:  # noqa: ANN401, as httpx takes it
        try:
            answer = self.http.request(method, f"{self.address}/api/v1/{what}", **how)
            body = answer.json()
            if body["status"] != "success":
                raise Trouble("Prometheus refused a query", plain(str(body.get("error", ""))[:200]))
            result: list[Any] = body["data"][name]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise away("Prometheus", self.address, error) from error
        return result


def _alert(row: dict[str, Any]) -> Alert:
    """Of a rule that says nothing of its alert, all its labels."""
    labels, notes = row["labels"], row.get("annotations", {})
    others = ", ".join(f"{name} {value}" for name, value in sorted(labels.items()) if name not in NO_NAMES)
    return Alert(
        name=labels["alertname"],
        severity=labels.get("severity", ""),
        is_firing=row["state"] == "firing",
        since=row["activeAt"],
        summary=notes.get("summary") or others,
        action=notes.get("action", ""),
    )
