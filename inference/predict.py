"""`POST /api/<workload>/predict`: the coming weeks of one series, written down before they are answered."""

import time
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import orjson
from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from inference.fields import Text
from inference.here import body, kept
from inference.history import Counts, Points
from inference.identity import assigned_track, hidden_client, require
from inference.respond import as_json
from inference.service import Service
from inference.tell import Told, tell
from ratchet.serve.prediction_ids import mint
from ratchet.serve.swap import Serving

USUAL_HORIZON: Final = 8
SIDES: Final = ("lo", "hi")


class Question(BaseModel):
    """What is asked of one series; a release adds its own targets, horizon and word for `unique_id`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unique_id: Annotated[Text, Field(min_length=1, max_length=500)]
    target: str
    horizon: int
    statistic: Literal["median", "mean"] | None = None
    levels: Annotated[list[Literal[80, 95]], Field(min_length=1, max_length=2)] | None = None
    history: Counts | Points | None = None

    def left_out(self) -> frozenset[str]:
        """Return the statistics that are not wanted in the answer."""
        unwanted = {"median": ["mean"], "mean": ["median"]}.get(self.statistic or "", [])
        if self.levels is not None:
            unwanted = [*unwanted, *(f"{side}_{level}" for level in {80, 95}.difference(self.levels) for side in SIDES)]
        return frozenset(unwanted)


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("predict", __name__)

    @bp.post("/api/<workload>/predict")
    def predict(workload: str) -> Response:
        require(service, "predict")
        serving = kept().serving = service.answerer.serving(workload)
        card = serving.opened.card
        question = questions(card.id_name, card.targets, card.horizon).model_validate_json(body())
        now = service.clock()
        told = tell(serving.opened, question, now)
        prediction_id = mint(service.secret, now, workload=workload, track=service.track, release=serving.name)
        if not kept().get("replayed"):
            service.log.append(_record(service, serving, question, told, prediction_id=prediction_id, at=now))
            service.metrics.of(workload, service.track.value, serving.name).answered(question.target)
        return as_json(answer(service, serving, question, told, prediction_id=prediction_id))

    return bp


@lru_cache(maxsize=64)
def questions(id_name: str, targets: tuple[str, ...], horizon: int) -> type[Question]:
    """Return the model of a question that a release with this card can answer."""
    horizons = Annotated[int, Field(ge=1, le=horizon, strict=True)]
    return create_model(
        "Question",
        __base__=Question,
        unique_id=(Annotated[Text, Field(min_length=1, max_length=500, alias=id_name)], ...),
        target=(Literal[targets], ...),  # type: ignore[arg-type]  # its values are known only here
        horizon=(horizons, min(USUAL_HORIZON, horizon)),
    )


def _record(
    service: Service, serving: Serving, question: Question, told: Told, *, prediction_id: str, at: datetime
) -> dict[str, Any]:
    return shared_record(service, serving) | {
        "prediction_id": prediction_id,
        "at": at,
        "unique_id": question.unique_id,
        "target": question.target,
        "horizon": question.horizon,
        "family": told.family,
        "weeks": orjson.Fragment(told.weeks),
        "latency_ms": round((time.perf_counter() - kept().started) * 1000, 3),
    }


def shared_record(service: Service, serving: Serving) -> dict[str, Any]:
    """Return what the log says of every forecast of a request."""
    return {
        "record": "forecast",
        "workload": serving.release.workload,
        "track": service.track.value,
        "assigned": assigned_track(),
        "release": serving.name,
        "release_id": serving.release.release_id,
        "client": hidden_client(service),
        "request_id": kept().request_id,
        "data_hour": serving.opened.data_hour,
    }


def answer(service: Service, serving: Serving, question: Question, told: Told, *, prediction_id: str) -> dict[str, Any]:
    """Return what is said of one question."""
    card, unwanted = serving.opened.card, question.left_out()
    weeks: Any = orjson.Fragment(told.weeks)
    if unwanted:
        weeks = [{name: week[name] for name in week if name not in unwanted} for week in orjson.loads(told.weeks)]
    return {
        "prediction_id": prediction_id,
        "workload": card.workload,
        card.id_name: question.unique_id,
        "target": question.target,
        "track": service.track.value,
        "release": serving.name,
        "release_id": card.release_id,
        "family": told.family,
        "data_hour": serving.opened.data_hour,
        "synthetic": card.synthetic,
        "weeks": weeks,
        "note": told.note,
    }
