"""What a training run shows on the tracking server beside its figures: the card, the data it learnt from, plots, errors by step.

It is for people: what cannot be shown is said, in the log and on the run, and keeps no release from being registered.
"""

import csv
import io
import json
import logging
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ratchet.contracts.release import CARD, EVALUATION, TRAINING, Card
from ratchet.register.client import load_mlflow

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

log = logging.getLogger("ratchet.register")

PLOTS: Final = "plots"
SEARCH: Final = "search.csv"
DIGEST_LENGTH: Final = 36
"""The tracking server takes no longer one (3.17)."""

Draw = Callable[[Card, dict[str, Any]], "Iterable[tuple[str, Figure]]"]
"""Who makes a run's plots from its card and its evaluation: each with its name."""


def pictures(card: Card, evaluation: dict[str, Any]) -> "Iterable[tuple[str, Figure]]":
    """Draw what a release is registered with."""
    from ratchet.register.plots import draw  # noqa: PLC0415  # a drawing library, for those who register

    return draw(card, evaluation)


def show_run(client: "MlflowClient", folder: Path, card: Card, run_id: str, *, gold: str, draw: Draw) -> None:
    """Log what a person would look at; twice is the same as once."""
    client.log_text(run_id, card.to_json(), CARD)
    if card.gold:
        client.log_inputs(run_id, [_dataset(card, gold)])
    try:
        if card.trials:
            client.log_param(run_id, "options", json.dumps(card.options, sort_keys=True))
        _log_training(client, run_id, card, folder / TRAINING)
    except Exception as error:  # noqa: BLE001  # a param that another machine logged before, or no JSON: it is no release's fault
        log.warning("%s: how the training went is not shown: %r", card.release_id, error)
    try:
        evaluation = json.loads((folder / EVALUATION).read_bytes()) if (folder / EVALUATION).is_file() else {}
        if tried := evaluation.get("search"):
            client.log_text(run_id, _table(tried), SEARCH)
        _log_steps(client, run_id, card, evaluation)
        _log_explained(client, run_id, card)
        _log_plots(client, run_id, draw(card, evaluation))
    except Exception as error:  # noqa: BLE001  # whatever a drawing library raises: a picture is never worth a release
        log.warning("%s: not everything could be drawn: %r", card.release_id, error)
        client.set_tag(run_id, PLOTS, f"failed: {error!r}"[:500])


def _dataset(card: Card, gold: str) -> Any:  # noqa: ANN401  # MLflow has no types
    entities = load_mlflow().entities
    source = json.dumps({"uri": gold}) if gold else "{}"
    profile = {"series": card.series, "rejected": len(card.rejected), "data_hour": card.data_hour.isoformat()}
    schema = {"mlflow_colspec": [{"type": kind, "name": name, "required": True} for name, kind in _COLUMNS.items()]}
    dataset = entities.Dataset(
        name=f"{card.workload}.gold",
        digest=card.gold[:DIGEST_LENGTH],
        source_type="s3" if gold.startswith("s3:") else "local",
        source=source,
        schema=json.dumps(schema),
        profile=json.dumps(profile | {"digest": card.gold, "synthetic": card.synthetic}),
    )
    return entities.DatasetInput(dataset, [entities.InputTag("mlflow.data.context", "training")])


_COLUMNS: Final = {"unique_id": "string", "target": "string", "ds": "datetime", "y": "double"}


def _log_training(client: "MlflowClient", run_id: str, card: Card, path: Path) -> None:
    """Seconds by stage and peak memory as metrics, the environment as params; a release without them is fine."""
    if not path.is_file():
        return
    entities, at = load_mlflow().entities, int(card.data_hour.timestamp() * 1000)
    known = json.loads(path.read_bytes())
    figures = {f"seconds/{stage}": value for stage, value in known["seconds"].items()}
    figures |= {name: value for name, value in known.items() if name.endswith("peak_mib")}
    metrics = [entities.Metric(key, value, at, step=0) for key, value in figures.items()]
    params = [entities.Param(f"environment/{key}", str(value)) for key, value in known["environment"].items()]
    client.log_batch(run_id, metrics=metrics, params=params)


def _table(tried: list[dict[str, Any]]) -> str:
    """What was tried, a row each, as the tracking server shows a table."""
    table = io.StringIO()
    rows = csv.DictWriter(table, ["family", "options", "difference", "error", "kept"], lineterminator="\n")
    rows.writeheader()
    rows.writerows({**trial, "options": json.dumps(trial["options"], sort_keys=True)} for trial in tried)
    return table.getvalue()


def _log_steps(client: "MlflowClient", run_id: str, card: Card, evaluation: dict[str, Any]) -> None:
    """Errors by step and by fold, at the data hour: a second try writes the same rows."""
    entities, at = load_mlflow().entities, int(card.data_hour.timestamp() * 1000)
    figures = [
        (f"mase_by_step/{who}", step + 1, value)
        for who, values in evaluation.get("by_step", {}).items()
        for step, value in enumerate(values)
    ]
    figures += [("mase_by_fold/release", n + 1, fold["mase"]) for n, fold in enumerate(evaluation.get("by_fold", []))]
    metrics = [entities.Metric(key, value, at, step) for key, step, value in figures if value is not None]
    for first in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[first : first + 1000])


def _log_explained(client: "MlflowClient", run_id: str, card: Card) -> None:
    """What families tell of what they learnt, as metrics, so that runs can be compared by them."""
    entities, at = load_mlflow().entities, int(card.data_hour.timestamp() * 1000)
    told = [
        (f"explains/{name}/{figure}", value) for name, some in card.explains.items() for figure, value in some.items()
    ]
    if told:
        client.log_batch(run_id, metrics=[entities.Metric(key, value, at, step=0) for key, value in told])


def _log_plots(client: "MlflowClient", run_id: str, drawn: "Iterable[tuple[str, Figure]]") -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for name, figure in drawn:
            figure.savefig(Path(scratch) / f"{name}.png", dpi=110)
        client.log_artifacts(run_id, scratch, PLOTS)
