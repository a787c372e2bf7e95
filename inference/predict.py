"""`POST /api/<workload>/predict`: the coming weeks of one series, written down before they are answered."""

import time
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ConfigDict, Field, create_model

from inference.identity import assigned_track, hidden_client, require
from inference.respond import as_json
from inference.service import Service
from ratchet.serve.prediction_ids import mint
from ratchet.serve.swap import Serving

USUAL_HORIZON: Final = 8
SYNTHETIC: Final = "trained on synthetic sample data"


class Question(BaseModel):
    """What is asked of one series; a release adds its own targets, horizon and word for `unique_id`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unique_id: Annotated[str, Field(min_length=1, max_length=500)]
    target: str
    horizon: int
    statistic: Literal["median", "mean"] | None = None


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("predict", __name__)

    @bp.post("/api/<workload>/predict")
    def predict(workload: str) -> Response:
        require(service, "predict")
        serving = g.serving = service.answerer.serving(workload)
        card = serving.opened.card
        question = questions(card.id_name, card.targets, card.horizon).model_validate_json(request.get_data())
        weeks = serving.opened.forecast(question.unique_id, question.target, question.horizon)
        now = service.clock()
        prediction_id = mint(service.secret, now, workload=workload, track=service.track, release=serving.name)
        service.log.append(_record(service, serving, question, weeks, prediction_id=prediction_id, at=now))
        service.metrics.of(workload, service.track.value, serving.name).answered(question.target)
        return as_json(answer(service, serving, question, weeks, prediction_id=prediction_id))

    return bp


@lru_cache(maxsize=64)
def questions(id_name: str, targets: tuple[str, ...], horizon: int) -> type[Question]:
    """Return the model of a question that a release with this card can answer."""
    horizons = Annotated[int, Field(ge=1, le=horizon, strict=True)]
    return create_model(
        "Question",
        __base__=Question,
        unique_id=(Annotated[str, Field(min_length=1, max_length=500, alias=id_name)], ...),
        target=(Literal[targets], ...),  # type: ignore[arg-type]  # its values are known only here
        horizon=(horizons, min(USUAL_HORIZON, horizon)),
    )


def _record(
    service: Service,
    serving: Serving,
    question: Question,
    weeks: list[dict[str, Any]],
    *,
    prediction_id: str,
    at: datetime,
) -> dict[str, Any]:
    return {
        "record": "forecast",
        "prediction_id": prediction_id,
        "at": at,
        "workload": serving.release.workload,
        "unique_id": question.unique_id,
        "target": question.target,
        "horizon": question.horizon,
        "track": service.track.value,
        "assigned": assigned_track(),
        "release": serving.name,
        "release_id": serving.release.release_id,
        "client": hidden_client(service),
        "request_id": g.request_id,
        "data_hour": serving.opened.data_hour,
        "weeks": weeks,
        "latency_ms": round((time.perf_counter() - g.started) * 1000, 3),
    }


def answer(
    service: Service, serving: Serving, question: Question, weeks: list[dict[str, Any]], *, prediction_id: str
) -> dict[str, Any]:
    """Return what is said of one question."""
    card = serving.opened.card
    unwanted = {"median": "mean", "mean": "median"}.get(question.statistic or "")
    return {
        "prediction_id": prediction_id,
        "workload": card.workload,
        card.id_name: question.unique_id,
        "target": question.target,
        "track": service.track.value,
        "release": serving.name,
        "release_id": card.release_id,
        "data_hour": serving.opened.data_hour,
        "synthetic": card.synthetic,
        "weeks": [{name: week[name] for name in week if name != unwanted} for week in weeks] if unwanted else weeks,
        "note": SYNTHETIC if card.synthetic else None,
    }
