"""What the log says of a forecast: one row that feedback and actuals are joined to later."""

import time
from datetime import datetime
from typing import Any

import orjson

from inference.identity import Caller
from inference.questions import Question
from inference.service import Service
from inference.tell import Told
from ratchet.serve.swap import Serving


def record_of(  # noqa: PLR0913  # a row is made of all of these
    service: Service,
    serving: Serving,
    question: Question,
    told: Told,
    asker: Caller,
    *,
    prediction_id: str,
    at: datetime,
) -> dict[str, Any]:
    """Return what the log says of a forecast that was asked for alone."""
    spent = round((time.perf_counter() - asker.started) * 1000, 3)
    of_one = own_record(question, told, prediction_id=prediction_id)
    return {**shared_record(service, serving, asker), **of_one, "at": at, "latency_ms": spent}


def own_record(question: Question, told: Told, *, prediction_id: str) -> dict[str, Any]:
    """Return what the log says of one forecast alone."""
    return {
        "prediction_id": prediction_id,
        "unique_id": question.unique_id,
        "target": question.target,
        "horizon": question.horizon,
        "family": told.family,
        "weeks": orjson.Fragment(told.weeks),
    }


def shared_record(service: Service, serving: Serving, asker: Caller) -> dict[str, Any]:
    """Return what the log says of every forecast of a request."""
    return {
        "record": "forecast",
        "workload": serving.release.workload,
        "track": service.track.value,
        "assigned": asker.assigned,
        "release": serving.name,
        "release_id": serving.release.release_id,
        "client": asker.client,
        "request_id": asker.request_id,
        "data_hour": serving.opened.data_hour,
    }
