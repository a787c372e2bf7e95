"""Every error as `application/problem+json` (RFC 9457) with a type that a program can branch on, and nothing of ours in it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, Response, g
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from pydantic import ValidationError
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, RequestEntityTooLarge

from inference.respond import as_json
from inference.written import name_errors
from ratchet.contracts.errors import NotReadyError
from ratchet.serve.answer import UnknownWorkloadError

logger = logging.getLogger(__name__)

MIMETYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = "2"
IDENTITY: Final = "identity"
"""The one Content-Encoding that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of problem: `/problems/<slug>`."""

    slug: str
    title: str
    status: int


UNKNOWN_SERIES: Final = Kind(slug="unknown-series", title="No forecast for this series", status=404)
UNKNOWN_WORKLOAD: Final = Kind(slug="unknown-workload", title="No such workload", status=404)
UNKNOWN_PREDICTION: Final = Kind(slug="unknown-prediction", title="No such prediction", status=404)
NOT_READY: Final = Kind(slug="not-ready", title="Nothing can be answered yet", status=503)
LOG_FULL: Final = Kind(slug="log-full", title="Feedback cannot be kept right now", status=503)
TOO_LARGE: Final = Kind(slug="too-large", title="The body is larger than 1 MiB", status=413)
ENCODED: Final = Kind(slug="unsupported-encoding", title="Content-Encoding is not supported", status=415)
MALFORMED_JSON: Final = Kind(slug="malformed-json", title="The body is not JSON", status=400)
BAD_BODY: Final = Kind(slug="bad-request", title="The body did not arrive as its headers say", status=400)
INVALID: Final = Kind(slug="invalid-request", title="The request is not valid", status=422)
NO_KEY: Final = Kind(slug="no-key", title="A valid API key is needed in X-API-Key", status=401)
WRONG_SCOPE: Final = Kind(slug="wrong-scope", title="The API key may not do this", status=403)
DATABASE_AWAY: Final = Kind(slug="database-away", title="The database cannot answer right now", status=503)
BAD_HISTORY: Final = Kind(slug="bad-history", title="The posted history makes no sense", status=422)
NO_HISTORIES: Final = Kind(slug="no-histories", title="Posted histories are not answered now", status=422)
TOO_MANY: Final = Kind(slug="too-many-requests", title="Too many requests", status=429)
BUSY: Final = Kind(slug="busy", title="One operator's question at a time", status=503)
NO_GOLD: Final = Kind(slug="no-gold", title="The data cannot be read here", status=503)
UNKNOWN_TABLE: Final = Kind(slug="unknown-table", title="No such table or column", status=404)
UNKNOWN_ORDER: Final = Kind(slug="unknown-order", title="No such order waits", status=404)
ORDER_WAITS: Final = Kind(slug="order-waits", title="Another order waits", status=409)
NO_DRIFT: Final = Kind(slug="no-drift-report", title="There is no drift report yet", status=404)
INTERNAL: Final = Kind(slug="internal", title="Something went wrong on our side", status=500)


class ProblemError(Exception):
    """Raised by a view to answer with a problem."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def problem(kind: Kind, detail: str, *, errors: Sequence[dict[str, str]] = ()) -> Response:
    """Return a problem as a response; 503 says when to try again."""
    body = describe(kind, detail, errors=errors) | {"request_id": g.get("request_id")}
    response = as_json(body, kind.status, mimetype=MIMETYPE)
    if kind.status == NOT_READY.status:
        response.headers["Retry-After"] = RETRY_SECONDS
    if kind is BAD_BODY:  # where it ends nobody knows: what follows may be a part of it
        response.headers["Connection"] = "close"
    if kind is ENCODED:
        response.headers["Accept-Encoding"] = IDENTITY
    if kind is NO_KEY:
        response.headers["WWW-Authenticate"] = 'ApiKey realm="ratchet", header="X-API-Key"'
    return response


def describe(kind: Kind, detail: str, *, errors: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """Return a problem as its members: a whole body, or one result among those of a batch."""
    body = {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status, "detail": detail}
    return {**body, "errors": errors} if errors else body


def register(app: Flask) -> None:
    """Map each error that can reach the border to its problem; whatever is not foreseen is a 500 without details."""
    app.register_error_handler(ProblemError, lambda error: problem(error.kind, error.detail))
    app.register_error_handler(UnknownWorkloadError, lambda error: problem(UNKNOWN_WORKLOAD, str(error)))
    app.register_error_handler(NotReadyError, lambda error: problem(NOT_READY, str(error)))
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(RequestEntityTooLarge, lambda _: problem(TOO_LARGE, "Ask in several requests."))
    # Chunks that are none, or an early end, and what stands behind the last chunk.
    for broken in (ClientDisconnected, ParseException):
        app.register_error_handler(
            broken, lambda _: problem(BAD_BODY, "The body ended early or was cut into odd chunks.")
        )
    app.register_error_handler(Exception, _unforeseen)


def _invalid(error: ValidationError) -> Response:
    if error.error_count() == 1:
        [only] = error.errors(include_url=False, include_context=False, include_input=False)
        if only["type"] == "json_invalid":
            return problem(MALFORMED_JSON, only["msg"])
    detail, errors = name_errors(error)
    return problem(INVALID, detail, errors=errors)


def _of_http(error: HTTPException) -> Response:
    status = error.code or INTERNAL.status
    kind = Kind(slug=error.name.lower().replace(" ", "-"), title=error.name, status=status)
    response = problem(kind, error.description or error.name)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _unforeseen(error: Exception) -> Response:
    logger.error("a request failed: %r", error, exc_info=error)
    return problem(INTERNAL, "The log knows more; give the request id to whoever runs this service.")
