"""What operators look at: `metrics`, `logs`, `experiments`, `drift_report`. One at a time, so that forecasts keep their threads."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from flask import Blueprint, Response, request
from pydantic import TypeAdapter

from inference.fields import Moment, Text
from inference.identity import require
from inference.operator_shapes import ExperimentPage, LogPage, Window
from inference.problems import BUSY, DATABASE_AWAY, INVALID, NO_DRIFT, ProblemError
from inference.respond import as_json
from inference.service import Reports, Service
from ratchet.contracts.errors import MetricsError
from ratchet.serve.answer import UnknownWorkloadError

DAY: Final = timedelta(days=1)
CURSOR: Final = TypeAdapter(tuple[Moment, Text, Text, Text])


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp, turn = Blueprint("operate", __name__), threading.Semaphore(1)

    @bp.get("/api/<workload>/metrics")
    def metrics(workload: str) -> Response:
        with _reports(service, workload, turn) as reports:
            since, until = _bounds(Window.model_validate(request.args.to_dict()), service.clock())
            releases = reports.summary(workload, since=since, until=until)
        return as_json({"workload": workload, "since": since, "until": until, "releases": releases})

    @bp.get("/api/<workload>/logs")
    def logs(workload: str) -> Response:
        with _reports(service, workload, turn) as reports:
            wanted = LogPage.model_validate(request.args.to_dict())
            rows = reports.log(wanted.kind, workload, _filters(wanted, service.clock()))
        more = _cursor(rows[-1]) if len(rows) == wanted.limit else None
        return as_json({"workload": workload, "kind": wanted.kind, "rows": rows, "next": more})

    @bp.get("/api/<workload>/experiments")
    def experiments(workload: str) -> Response:
        with _reports(service, workload, turn) as reports:
            page = ExperimentPage.model_validate(request.args.to_dict())
            found = reports.experiments(workload, before=page.before, limit=page.limit)
        more = found[-1]["experiment_id"] if len(found) == page.limit else None
        return as_json({"workload": workload, "experiments": found, "next": more})

    @bp.get("/api/<workload>/drift_report")
    def drift_report(workload: str) -> Response:
        with _reports(service, workload, turn) as reports:
            report = reports.drift(workload)
        if report is None:
            raise ProblemError(NO_DRIFT, f"Nobody has looked for drift in {workload} yet: there is no report.")
        answer = as_json(report.public())
        answer.last_modified = report.at
        return answer

    return bp


@contextmanager
def _reports(service: Service, workload: str, turn: threading.Semaphore) -> Iterator[Reports]:
    """Let one operator at a time ask the database; what it cannot answer soon is a problem, never a wait."""
    require(service, "operate")
    if not service.answerer.serves(workload):
        raise UnknownWorkloadError(f"no workload {workload!r} here")
    if service.reports is None:
        raise ProblemError(DATABASE_AWAY, "This service has no database.")
    if not turn.acquire(blocking=False):
        raise ProblemError(BUSY, "Another operator is being answered; try again in a moment.")
    try:
        yield service.reports
    except MetricsError as error:
        raise ProblemError(DATABASE_AWAY, f"{error}. A narrower question may be answered.") from error
    finally:
        turn.release()


def _bounds(window: Window, now: datetime) -> tuple[datetime, datetime]:
    until = window.until or now
    try:
        since = window.since or until - DAY
    except OverflowError as error:
        raise ProblemError(INVALID, "until must have a day before it, or since must be given.") from error
    if since >= until:
        raise ProblemError(INVALID, "since must be before until.")
    return since, until


def _filters(wanted: LogPage, now: datetime) -> dict[str, Any]:
    since, until = _bounds(wanted, now)
    after: dict[str, Any] = {"after_id": None, "after_kind": None, "after_client": None}
    if wanted.cursor is not None:
        until, *key = _position(wanted.cursor)
        after = dict(zip(after, key, strict=True))
    named = wanted.model_dump(include={"unique_id", "target", "track", "release", "client", "limit"})
    return {"since": since, "until": until, **named, **after}


def _cursor(row: dict[str, Any]) -> str:
    key = [row["at"].isoformat(), row["prediction_id"], row.get("kind", ""), row["client"] or ""]
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode()


def _position(cursor: str) -> tuple[datetime, str, str, str]:
    try:
        return CURSOR.validate_json(base64.urlsafe_b64decode(cursor))
    except ValueError as error:
        raise ProblemError(INVALID, "cursor must be the `next` of an earlier answer.") from error
