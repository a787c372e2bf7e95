"""A release kept by MLflow: a run with its figures, a logged model with its files. Found again by `release_id`."""

import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from ratchet.bucket import Bucket
from ratchet.contracts.errors import RegistryError
from ratchet.contracts.release import CARD, ISSUE, Card, issue_folder
from ratchet.register.client import experiment, load_mlflow
from ratchet.register.discard import DRAFT, discard_drafts
from ratchet.register.package import FOLDER, write_package
from ratchet.register.show import Draw, pictures, show_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

MLMODEL: Final = "MLmodel"
DIRECT: Final = ("file", "s3")
"""Artifact addresses that serving can read without MLflow."""


def store_release(
    client: "MlflowClient", folder: Path, card: Card, *, gold: str = "", kms_key: str = "", draw: Draw = pictures
) -> "LoggedModel":
    """Return the finished logged model of this release: found, finished or made. `kms_key` encrypts it in S3."""
    experiment_id = _experiment(client, card.workload)
    run = _run(client, experiment_id, card)
    model = _model(client, experiment_id, run.info.run_id, card)
    if str(model.status) != "READY":
        _require_direct(model.artifact_location)
        _log_figures(client, model.model_id, run.info.run_id, card)
        show_run(client, folder, card, run.info.run_id, gold=gold, draw=draw)
        _upload(client, folder, model, run.info.run_id, kms_key=kms_key)
        model = client.finalize_logged_model(model.model_id, "READY")
    if run.info.status == "RUNNING":
        client.set_terminated(run.info.run_id)
    return model


def restore_release(client: "MlflowClient", folder: Path, card: Card, *, location: str, kms_key: str = "") -> None:
    """Put the files of a release that was removed back where they were: two that registered it at once may have left two places."""
    experiment_id = _experiment(client, card.workload)
    run = _run(client, experiment_id, card)
    models = client.search_logged_models([experiment_id], filter_string=f"tags.release_id = '{card.release_id}'")
    there = [model for model in models if release_location(model) == location]
    if not there:
        raise RegistryError(
            f"MLflow has no model of {card.release_id} at {location} any more: its files cannot be put back"
        )
    _upload(client, folder, there[0], run.info.run_id, kms_key=kms_key)


def release_location(model: "LoggedModel") -> str:
    """Name the address of the release folder inside a logged model."""
    return f"{model.artifact_location.rstrip('/')}/{FOLDER}"


def store_issue(location: str, folder: Path, number: int, *, kms_key: str = "") -> None:
    """Put an issue beside a release's others, whole; one of this number that nobody was told of is replaced."""
    _require_direct(location)
    address = urlsplit(location)
    if address.scheme == "s3":
        Bucket(f"{location}/{issue_folder(number)}", kms_key=kms_key).upload(folder, last=ISSUE)
        return
    release = Path(unquote(address.path))
    discard_drafts(release.parent)
    with tempfile.TemporaryDirectory(prefix=DRAFT, dir=release.parent) as draft:
        shutil.copytree(folder, Path(draft) / "new")
        if (release / issue_folder(number)).exists():
            (release / issue_folder(number)).rename(Path(draft) / "old")
        (Path(draft) / "new").rename(release / issue_folder(number))


def _experiment(client: "MlflowClient", workload: str) -> str:
    about = f"Each run is the training of one release of {workload}: its scores, plots and card."
    return experiment(client, workload, about=about)


def _run(client: "MlflowClient", experiment_id: str, card: Card) -> "Run":
    found = client.search_runs([experiment_id], filter_string=f"tags.release_id = '{card.release_id}'", max_results=1)
    return found[0] if found else client.create_run(experiment_id, run_name=card.release_id, tags=release_tags(card))


def _model(client: "MlflowClient", experiment_id: str, run_id: str, card: Card) -> "LoggedModel":
    wanted = f"tags.release_id = '{card.release_id}'"
    found = client.search_logged_models([experiment_id], filter_string=wanted, max_results=1)
    if found:
        return found[0]
    return client.create_logged_model(
        experiment_id, name=card.release_id, source_run_id=run_id, tags=release_tags(card), params=_params(card)
    )


def release_tags(card: Card) -> dict[str, str]:
    """Return what run, logged model and model version all carry."""
    return {
        "release_id": card.release_id,
        "data_hour": card.data_hour.isoformat(),
        "synthetic": str(card.synthetic).lower(),
        "make": card.make,
    }


def _params(card: Card) -> dict[str, str]:
    known = {
        "recipe": " ".join(card.recipe),
        "ensemble": " ".join(card.ensemble),
        "expects": card.expects,
        "data_hour": card.data_hour.isoformat(),
        "code_version": card.code_version,
        "horizon": str(card.horizon),
        "series": str(card.series),
        "layout": str(card.layout),
        "gold": card.gold,
        "seen": str(card.seen),
        "trials": str(card.trials or ""),
    }
    return {name: value for name, value in known.items() if value}


def _log_figures(client: "MlflowClient", model_id: str, run_id: str, card: Card) -> None:
    """Params and metrics. The data hour is their time, so that a second try writes the same rows."""
    entities = load_mlflow().entities
    figures = {f"{score}/{who}": value for who, scores in card.scores.items() for score, value in scores.items()}
    figures |= {f"coverage/{interval}": value for interval, value in card.coverage.items()}
    figures |= {f"series/{family}": float(count) for family, count in card.families.items()}
    at = int(card.data_hour.timestamp() * 1000)
    metrics = [
        entities.Metric(key, value, at, step=0, model_id=model_id, run_id=run_id)
        for key, value in figures.items()
        if math.isfinite(value)
    ]
    params = [entities.Param(key, value) for key, value in _params(card).items()]
    client.log_batch(run_id, metrics=metrics, params=params)


def _upload(client: "MlflowClient", folder: Path, model: "LoggedModel", run_id: str, *, kms_key: str) -> None:
    """Copy the folder as it is, then what makes it a pyfunc; writing over a half-finished copy is harmless."""
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "package"
        write_package(package, folder, model_id=model.model_id, run_id=run_id, location=model.artifact_location)
        if urlsplit(model.artifact_location).scheme == "s3":
            Bucket(model.artifact_location, kms_key=kms_key).upload(package, last=MLMODEL)
            Bucket(release_location(model), kms_key=kms_key).upload(folder, last=CARD)
        else:
            client.log_model_artifacts(model.model_id, str(folder), FOLDER)
            client.log_model_artifacts(model.model_id, str(package))


def _require_direct(location: str) -> None:
    if urlsplit(location).scheme not in DIRECT:
        raise RegistryError(
            f"MLflow keeps artifacts at {location}, which serving cannot read without MLflow: "
            "start the server with --no-serve-artifacts and a file:// or s3:// --default-artifact-root"
        )
