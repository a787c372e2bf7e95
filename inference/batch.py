"""`POST /api/<workload>/predict/batch`: up to 1,000 questions, each with a forecast or a problem of its own; JSON or CSV, in and out."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pydantic_core
from flask import Blueprint, Response, g, request
from pydantic import ValidationError

from inference import tables
from inference.identity import assigned_track, hidden_client, require
from inference.limits import count_items
from inference.predict import Question, answer, questions
from inference.problems import INVALID, MALFORMED_JSON, UNKNOWN_SERIES, ProblemError, describe, name_errors
from inference.respond import as_json
from inference.service import Service
from ratchet.serve.many import find_rows, forecast_rows
from ratchet.serve.prediction_ids import mint
from ratchet.serve.swap import Serving

MAX_ITEMS: Final = 1000
CSV: Final = "text/csv"
Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One forecast of a batch: where in the batch it was asked for, the question, and its weeks."""

    place: int
    question: Question
    weeks: list[dict[str, Any]]


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("batch", __name__)

    @bp.post("/api/<workload>/predict/batch")
    def batch(workload: str) -> Response:
        require(service, "predict")
        serving = g.serving = service.answerer.serving(workload)
        asked = _read(serving)
        count_items(service, len(asked))
        results, answered = _answer_all(service, serving, asked)
        if request.accept_mimetypes.best_match(["application/json", CSV]) == CSV:
            return Response(tables.write(results, asked, id_name=serving.opened.card.id_name), mimetype=CSV)
        return as_json(_summary(service, serving, results, answered))

    return bp


def _read(serving: Serving) -> list[Any]:
    body, id_name = request.get_data(), serving.opened.card.id_name
    items = tables.read(body, id_name=id_name) if request.mimetype == CSV else _items_of(body)
    if not 1 <= len(items) <= MAX_ITEMS:
        raise ProblemError(INVALID, f"A batch holds 1 to {MAX_ITEMS} items, this one {len(items)}.")
    return items


def _items_of(body: bytes) -> list[Any]:
    try:
        told = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError(MALFORMED_JSON, str(error)) from error
    if not isinstance(told, dict) or set(told) != {"items"} or not isinstance(told["items"], list):
        raise ProblemError(INVALID, 'The body must be {"items": […]} and nothing else.')
    return told["items"]


def _answer_all(service: Service, serving: Serving, asked: Sequence[Any]) -> tuple[list[Result], int]:
    """Return one result per item, in the order of the items, and how many of them are forecasts."""
    results: list[Result] = [{} for _ in asked]
    valid = _validate(serving, asked, results)
    rows = find_rows(serving.opened, [(question.unique_id, question.target) for _, question in valid])
    known = [(place, question, row) for (place, question), row in zip(valid, rows, strict=True) if row is not None]
    for (place, question), row in zip(valid, rows, strict=True):
        if row is None:
            detail = f"no forecast for {question.unique_id!r}, {question.target}"
            results[place] = describe(UNKNOWN_SERIES, detail)
    found = forecast_rows(serving.opened, [row for *_, row in known], [question.horizon for _, question, _ in known])
    told = [Told(place=place, question=one, weeks=weeks) for (place, one, _), weeks in zip(known, found, strict=True)]
    _write_down(service, serving, told, results)
    return results, len(told)


def _validate(serving: Serving, asked: Sequence[Any], results: list[Result]) -> list[tuple[int, Question]]:
    card = serving.opened.card
    validate = questions(card.id_name, card.targets, card.horizon).__pydantic_validator__.validate_python
    valid = []
    for place, item in enumerate(asked):
        try:
            valid.append((place, validate(item)))
        except ValidationError as error:
            detail, errors = name_errors(error)
            results[place] = describe(INVALID, detail, errors=errors)
    return valid


def _write_down(service: Service, serving: Serving, told: Sequence[Told], results: list[Result]) -> None:
    """Log every forecast before any is answered, as single ones are."""
    now, workload = service.clock(), serving.release.workload
    of_all = _of_all(service, serving)
    for one in told:
        prediction_id = mint(service.secret, now, workload=workload, track=service.track, release=serving.name)
        question = one.question
        spent = round((time.perf_counter() - g.started) * 1000 / len(told), 3)
        asked = {"unique_id": question.unique_id, "target": question.target, "horizon": question.horizon}
        of_one = {"prediction_id": prediction_id, "at": now, **asked, "weeks": one.weeks, "latency_ms": spent}
        service.log.append(of_all | of_one)
        results[one.place] = answer(service, serving, question, one.weeks, prediction_id=prediction_id)
    meters = service.metrics.of(workload, service.track.value, serving.name)
    for target, count in Counter(one.question.target for one in told).items():
        meters.answered(target, count)


def _of_all(service: Service, serving: Serving) -> dict[str, Any]:
    return {
        "record": "forecast",
        "workload": serving.release.workload,
        "track": service.track.value,
        "assigned": assigned_track(),
        "release": serving.name,
        "release_id": serving.release.release_id,
        "client": hidden_client(service),
        "request_id": g.request_id,
        "data_hour": serving.opened.data_hour,
    }


def _summary(service: Service, serving: Serving, results: list[Result], answered: int) -> dict[str, Any]:
    return {
        "workload": serving.release.workload,
        "track": service.track.value,
        "release": serving.name,
        "answered": answered,
        "failed": len(results) - answered,
        "results": results,
    }
