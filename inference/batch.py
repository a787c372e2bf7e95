"""`POST /api/<workload>/predict/batch`: up to 1,000 questions, each with a forecast or a problem of its own; JSON or CSV, in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from flask import Blueprint, Response, g, request
from pydantic import ValidationError

from inference import tables
from inference.desk import Desk, Desks
from inference.forms import Form, refuse
from inference.giving import give
from inference.identity import caller, require
from inference.items import CSV, read
from inference.limits import count_items
from inference.problems import INVALID, Kind, ProblemError, describe
from inference.questions import Question
from inference.respond import JSON
from inference.service import Service
from inference.written import name_errors
from ratchet.serve.many import find_rows, render_rows


def make(service: Service, desks: Desks) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("batch", __name__)

    @bp.post("/api/<workload>/predict/batch")
    def batch(workload: str) -> Response:
        require(service, "predict")
        desk = desks.of(workload)
        g.serving, id_name = desk.serving, desk.serving.opened.card.id_name
        asked = read(id_name)
        count_items(service, len(asked))
        results = _answer_all(desk, asked, now=service.clock())
        said = give(desk, results, caller(service), service.log, now=service.clock())
        if request.accept_mimetypes.best_match([JSON, CSV]) == CSV:
            return Response(tables.write(orjson.loads(said)["results"], asked, id_name=id_name), mimetype=CSV)
        return Response(said, content_type=JSON)

    return bp


def _answer_all(desk: Desk, asked: Sequence[Any], *, now: datetime) -> list[Form]:
    """Return the form or the problem of each item: what was said before first, all else by the same rules as single questions."""
    results: list[Form | None] = [*desk.memory.of_items(asked)]
    if None in results:
        valid = _validate(desk, asked, results)
        rows = find_rows(desk.serving.opened, [(question.unique_id, question.target) for _, question in valid])
        known = [(*one, row) for one, row in zip(valid, rows, strict=True) if row is not None]
        weeks = render_rows(desk.serving.opened, [row for *_, row in known], [one.horizon for _, one, _ in known])
        for (place, question, row), rendered in zip(known, weeks, strict=True):
            results[place] = desk.lay_out(question, row, rendered)
        for place, question in [one for one, row in zip(valid, rows, strict=True) if row is None]:
            results[place] = _answer_unknown(desk, question, now=now)
    return [one for one in results if one is not None]


def _validate(desk: Desk, asked: Sequence[Any], results: list[Form | None]) -> list[tuple[int, Question]]:
    """Return what is valid of the items that have no result yet, each with its place; what is not gets its problem."""
    places = [place for place, one in enumerate(results) if one is None]
    try:
        return list(zip(places, desk.validate_all([asked[place] for place in places]), strict=True))
    except ValidationError:  # at least one of them: each is looked at by itself
        pass
    valid = []
    for place in places:
        try:
            valid.append((place, desk.validate(asked[place])))
        except ValidationError as error:
            detail, errors = name_errors(error)
            results[place] = _refuse(INVALID, detail, errors=errors)
    return valid


def _answer_unknown(desk: Desk, question: Question, *, now: datetime) -> Form:
    """Answer what the release does not know from a posted history, or say that there is none that makes sense."""
    try:
        return desk.form_now(question, now)
    except ProblemError as error:
        return _refuse(error.kind, error.detail)


def _refuse(kind: Kind, detail: str, *, errors: Sequence[dict[str, str]] = ()) -> Form:
    return refuse(orjson.dumps(describe(kind, detail, errors=errors)))
