"""`POST /api/<workload>/predict/batch`: up to 1,000 questions, each with a forecast or a problem of its own; JSON or CSV, in and out."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flask import Blueprint, Response, g, request
from pydantic import ValidationError

from inference import tables
from inference.identity import caller, require
from inference.items import CSV, read
from inference.limits import count_items
from inference.predict import answer, sign_many
from inference.problems import INVALID, UNKNOWN_SERIES, ProblemError, describe, name_errors
from inference.questions import Question, list_of, questions
from inference.records import own_record, shared_record
from inference.respond import as_json
from inference.service import Service
from inference.tell import Standing, Told, tell
from ratchet.contracts.errors import UnknownSeriesError
from ratchet.serve.many import find_rows, rendered
from ratchet.serve.swap import Serving

Result = dict[str, Any]


class Placed(NamedTuple):
    """One forecast of a batch: where in the batch it was asked for, the question, and the answer."""

    place: int
    question: Question
    told: Told


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("batch", __name__)

    @bp.post("/api/<workload>/predict/batch")
    def batch(workload: str) -> Response:
        require(service, "predict")
        serving = g.serving = service.answerer.serving(workload)
        asked = read(serving.opened.card.id_name)
        count_items(service, len(asked))
        results, answered = _answer_all(service, serving, asked)
        if request.accept_mimetypes.best_match(["application/json", CSV]) == CSV:
            return Response(tables.write(results, asked, id_name=serving.opened.card.id_name), mimetype=CSV)
        return as_json(_summary(service, serving, results, answered))

    return bp


def _answer_all(service: Service, serving: Serving, asked: Sequence[Any]) -> tuple[list[Result], int]:
    """Return one result per item, in the order of the items, and how many of them are forecasts."""
    results: list[Result] = [{} for _ in asked]
    valid = _validate(serving, asked, results)
    rows = find_rows(serving.opened, [(question.unique_id, question.target) for _, question in valid])
    known = [(place, question, row) for (place, question), row in zip(valid, rows, strict=True) if row is not None]
    found = rendered(serving.opened, [(row, question.horizon) for _, question, row in known])
    standing = Standing(serving.opened)
    answered = [
        Placed(place=place, question=question, told=standing.tell(question, row, weeks))
        for (place, question, row), weeks in zip(known, found, strict=True)
    ]
    unknown = [one for one, row in zip(valid, rows, strict=True) if row is None]
    answered += _answer_unknown(serving, unknown, results, now=service.clock())
    _write_down(service, serving, answered, results)
    return results, len(answered)


def _answer_unknown(
    serving: Serving, unknown: Sequence[tuple[int, Question]], results: list[Result], *, now: datetime
) -> list[Placed]:
    """Answer what the release does not know from posted histories, and say which have none that makes sense."""
    answered = []
    for place, question in unknown:
        try:
            answered.append(Placed(place=place, question=question, told=tell(serving.opened, question, now)))
        except UnknownSeriesError as error:
            results[place] = describe(UNKNOWN_SERIES, str(error))
        except ProblemError as error:
            results[place] = describe(error.kind, error.detail)
    return answered


def _validate(serving: Serving, asked: Sequence[Any], results: list[Result]) -> list[tuple[int, Question]]:
    card = serving.opened.card
    model = questions(card.id_name, card.targets, card.horizon)
    try:
        return list(enumerate(list_of(model).validate_python(asked)))
    except ValidationError:  # at least one of them: each is looked at by itself
        validate = model.__pydantic_validator__.validate_python
    valid = []
    for place, item in enumerate(asked):
        try:
            valid.append((place, validate(item)))
        except ValidationError as error:
            detail, errors = name_errors(error)
            results[place] = describe(INVALID, detail, errors=errors)
    return valid


def _write_down(service: Service, serving: Serving, told: Sequence[Placed], results: list[Result]) -> None:
    """Log every forecast before any is answered, as single ones are, and all of them at once."""
    now, asker = service.clock(), caller(service)
    of_all = shared_record(service, serving, asker)
    of_all |= {"at": now, "latency_ms": round((time.perf_counter() - asker.started) * 1000 / max(len(told), 1), 3)}
    records = []
    for one, prediction_id in zip(told, sign_many(service, serving, now, len(told)), strict=True):
        question = one.question
        records.append(of_all | own_record(question, one.told, prediction_id=prediction_id))
        results[one.place] = answer(service, serving, question, one.told, prediction_id=prediction_id)
    service.log.append_all(records)
    meters = service.metrics.of(serving.release.workload, service.track.value, serving.name)
    for target, count in Counter(one.question.target for one in told).items():
        meters.answered(target, count)


def _summary(service: Service, serving: Serving, results: list[Result], answered: int) -> dict[str, Any]:
    return {
        "workload": serving.release.workload,
        "track": service.track.value,
        "release": serving.name,
        "answered": answered,
        "failed": len(results) - answered,
        "results": results,
    }
