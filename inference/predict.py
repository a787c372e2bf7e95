"""`POST /api/<workload>/predict`: the coming weeks of one series, written down before they are answered."""

from datetime import datetime
from typing import Any

import orjson
from flask import Blueprint, Response

from inference.here import body, kept
from inference.identity import Caller, caller, require
from inference.questions import Question, questions
from inference.records import record_of
from inference.respond import as_json
from inference.service import Service
from inference.tell import Told, tell
from ratchet.serve.prediction_ids import mint, mint_many
from ratchet.serve.swap import Serving


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
        if kept().get("replayed"):
            return as_json(answer(service, serving, question, told, prediction_id=sign(service, serving, now)))
        return as_json(settle(service, serving, question, told, caller(service), now=now))

    return bp


def settle(
    service: Service, serving: Serving, question: Question, told: Told, asker: Caller, *, now: datetime
) -> dict[str, Any]:
    """Sign a forecast, write it down and count it; only then is it an answer."""
    prediction_id = sign(service, serving, now)
    service.log.append(record_of(service, serving, question, told, asker, prediction_id=prediction_id, at=now))
    service.metrics.of(serving.release.workload, service.track.value, serving.name).answered(question.target)
    return answer(service, serving, question, told, prediction_id=prediction_id)


def sign(service: Service, serving: Serving, now: datetime) -> str:
    """Return a new prediction id, which says who answers."""
    return mint(service.secret, now, workload=serving.release.workload, track=service.track, release=serving.name)


def sign_many(service: Service, serving: Serving, now: datetime, count: int) -> list[str]:
    """Return new prediction ids for so many forecasts of one release."""
    names = {"workload": serving.release.workload, "release": serving.name}
    return mint_many(service.secret, now, count, track=service.track, **names)


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
