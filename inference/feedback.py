"""`POST /api/<workload>/feedback`: what a user says of a forecast; either track takes it, whichever answered."""

from typing import Annotated, Any, Final, Literal

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from inference.fields import WITHOUT_NUL, Count, Day
from inference.here import body
from inference.identity import caller, require
from inference.problems import LOG_FULL, UNKNOWN_PREDICTION, ProblemError
from inference.respond import as_json
from inference.service import Service
from ratchet.serve.answer import UnknownWorkloadError
from ratchet.serve.prediction_ids import Minted, verify

PREDICTION_ID: Final = r"^[A-Za-z0-9_-]{44}\.[pc]\.[A-Za-z0-9-]{1,60}$"


class Said(BaseModel):
    """What every kind of feedback has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prediction_id: Annotated[str, Field(pattern=PREDICTION_ID)]


class Rating(Said):
    """How good the forecast was, from 1 to 5."""

    kind: Literal["rating"]
    value: Annotated[int, Field(ge=1, le=5, strict=True)]


class Accurate(Said):
    """Whether the forecast turned out right."""

    kind: Literal["accurate"]
    value: Annotated[bool, Field(strict=True)]


class Actual(Said):
    """What really happened in a week."""

    kind: Literal["actual"]
    week: Day
    value: Count


class Comment(Said):
    """What a user wants to say."""

    kind: Literal["comment"]
    value: Annotated[str, Field(min_length=1, max_length=2000), WITHOUT_NUL]


Feedback = Annotated[Rating | Accurate | Actual | Comment, Field(discriminator="kind")]
PARSER: Final[TypeAdapter[Rating | Accurate | Actual | Comment]] = TypeAdapter(Feedback)


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("feedback", __name__)

    @bp.post("/api/<workload>/feedback")
    def feedback(workload: str) -> Response:
        require(service, "predict")
        if not service.answerer.serves(workload):
            raise UnknownWorkloadError(f"no workload {workload!r} here")
        said = PARSER.validate_json(body())
        minted = verify(service.secret, said.prediction_id, workload=workload)
        if minted is None:
            raise ProblemError(UNKNOWN_PREDICTION, f"No forecast of {workload} was answered under this prediction id.")
        if not service.log.append(_record(service, workload, said)):
            raise ProblemError(LOG_FULL, "The feedback was not kept; send it again later.")
        _count(service, workload, said, minted)
        return as_json({"prediction_id": said.prediction_id, "kind": said.kind, "status": "accepted"}, 202)

    return bp


def _record(service: Service, workload: str, said: Rating | Accurate | Actual | Comment) -> dict[str, Any]:
    value = {"week": said.week, "value": said.value} if isinstance(said, Actual) else said.value
    return {
        "record": "feedback",
        "prediction_id": said.prediction_id,
        "kind": said.kind,
        "client": caller(service).client,
        "workload": workload,
        "value": value,
        "at": service.clock(),
    }


def _count(service: Service, workload: str, said: Said, minted: Minted) -> None:
    if isinstance(said, Rating):
        service.metrics.of(workload, minted.track.value, minted.release).rate(said.value)
