"""MLflow as the dashboard reads it: which releases there are, and what was measured while they were trained."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

from monitoring.dashboard.api import away

NEWEST: Final = 100
TRAINED: Final = "?workflowType=machine_learning"
"""MLflow opens what has no such word as an evaluation of prompts."""

Tags = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A release as the registry knows it."""

    version: int
    run_id: str
    tags: Tags

    @property
    def names(self) -> str:
        """What people call it: `BO2 (CO1)`."""
        best, candidate = self.tags.get("best_of"), self.tags.get("candidate_of")
        return f"{best} ({candidate})" if best and candidate else best or candidate or f"v{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A training run: figures by name, parameters by name, and where MLflow shows it."""

    metrics: dict[str, float]
    params: Tags
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One MLflow server."""

    http: httpx.Client
    address: str
    shown: str = ""
    """Its address in links, if people reach it elsewhere."""

    def releases(self, workload: str) -> list[Listed]:
        """Return the newest releases first."""
        wanted = {"filter": f"name='{workload}'", "max_results": NEWEST, "order_by": "version_number DESC"}
        found = self._get("model-versions/search", **wanted).get("model_versions", [])
        return [
            Listed(version=int(row["version"]), run_id=row.get("run_id", ""), tags=_pairs(row.get("tags", [])))
            for row in found
        ]

    def run(self, run_id: str) -> Run:
        """Return what a training run wrote down."""
        run = self._get("runs/get", run_id=run_id)["run"]
        data, info = run["data"], run["info"]
        return Run(
            metrics={row["key"]: float(row["value"]) for row in data.get("metrics", [])},
            params=_pairs(data.get("params", [])),
            address=f"{self.shown or self.address}/#/experiments/{info['experiment_id']}/runs/{run_id}{TRAINED}",
        )

    def _get(self, what: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401, JSON
        try:
            answer = self.http.get(f"{self.address}/api/2.0/mlflow/{what}", params=query)
            answer.raise_for_status()
            body: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise away("MLflow", self.address, error) from error
        return body


def _pairs(rows: list[dict[str, str]]) -> Tags:
    return {row["key"]: row["value"] for row in rows}
