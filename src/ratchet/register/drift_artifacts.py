"""Drift as the tracking server keeps it, beside the release's own run: pages, reports, and the recent data that were looked at."""

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ratchet.contracts.errors import RegistryError
from ratchet.register.client import load_mlflow, registry_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER: Final = "drift"
RECENT: Final = "recent.json"


class DriftArtifacts:
    """What is under `drift/` of a release's run. `RegistryError` where the server is away or the release has no run."""

    def __init__(self, tracking_uri: str, *, client: "MlflowClient | None" = None) -> None:
        self._address = tracking_uri.rstrip("/")
        self._given = client

    def recent(self, workload: str, release_id: str) -> dict[str, Any] | None:
        """The newest `drift/recent.json`; None if nobody has put one there."""
        with registry_errors(f"reading recent data of {release_id}"), tempfile.TemporaryDirectory() as scratch:
            client, (_, run_id) = self._client(), self._run(workload, release_id)
            there = {artifact.path for artifact in client.list_artifacts(run_id, FOLDER)}
            if f"{FOLDER}/{RECENT}" not in there:
                return None
            path = Path(client.download_artifacts(run_id, f"{FOLDER}/{RECENT}", scratch))
            return self._parse(path.read_bytes())

    def keep(self, workload: str, release_id: str, *, at: datetime, page: str, recent: dict[str, Any]) -> str:
        """Put a page and the data it was made of beside the release's run; the address of the page on the server."""
        day = f"{at:%Y-%m-%dT%H%M}.html"
        with registry_errors(f"keeping the drift page of {release_id}"):
            client, (experiment_id, run_id) = self._client(), self._run(workload, release_id)
            client.log_text(run_id, page, f"{FOLDER}/{day}")
            client.log_text(run_id, json.dumps(recent), f"{FOLDER}/{RECENT}")
        # Without the last word MLflow opens it as an evaluation of prompts.
        run = f"{self._address}/#/experiments/{experiment_id}/runs/{run_id}"
        return f"{run}/artifacts/{FOLDER}/{day}?workflowType=machine_learning"

    def _client(self) -> "MlflowClient":
        return self._given or load_mlflow().MlflowClient(self._address)

    def _run(self, workload: str, release_id: str) -> tuple[str, str]:
        client = self._client()
        experiment = client.get_experiment_by_name(workload)
        wanted = f"tags.release_id = '{release_id}'"
        found = client.search_runs([experiment.experiment_id], wanted, max_results=1) if experiment else []
        for run in found:
            return str(run.info.experiment_id), str(run.info.run_id)
        raise RegistryError(f"the tracking server knows no run of release {release_id}")

    @staticmethod
    def _parse(body: bytes) -> dict[str, Any]:
        try:
            read = json.loads(body)
        except ValueError as error:
            raise RegistryError(f"{FOLDER}/{RECENT} on the tracking server is no JSON") from error
        if not isinstance(read, dict):
            raise RegistryError(f"{FOLDER}/{RECENT} on the tracking server is no object")
        return read
