"""The short way to a forecast: a plain, valid question of a known series is answered before Flask is asked; all else goes on to Flask.

Flask's own work for a request costs as much as a forecast does. What is said, logged and counted comes from the functions that the
views use, and `tests/unit/inference/test_shortcut.py` holds both ways to the same answers, log rows and figures.
"""

import io
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from inference.desk import Desks
from inference.identity import read_caller
from inference.limits import take_both, tell
from inference.respond import JSON
from inference.service import Lines, Service
from inference.trail import name_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LONGEST_LENGTH = 6
"""Digits of the length of a body that is read here: a larger one is Flask's to refuse."""
Answered = tuple[bytes, list[tuple[str, str]]]


class Shortcut:
    """Wraps a Flask application: `app.wsgi_app = Shortcut(app.wsgi_app, service, desks)`."""

    def __init__(self, app: "WSGIApplication", service: Service, desks: Desks) -> None:
        self._app = app
        self._service = service
        self.log = service.log
        self._desks = desks
        self._workloads = {f"/api/{workload}/predict": workload for workload in service.answerer.workloads()}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, or have Flask answer: to the client it is the same."""
        started = time.perf_counter()
        if environ["PATH_INFO"] not in self._workloads or not _is_plain(environ):
            return self._app(environ, start_response)
        body = _take_body(environ)
        answered = self.answer(environ, body, started, self.log)
        if answered is None:
            environ["wsgi.input"] = io.BytesIO(body)
            return self._app(environ, start_response)
        content, headers = answered
        start_response("200 OK", headers)
        return [content]

    def answer(self, environ: dict[str, Any], body: bytes, started: float, log: Lines) -> Answered | None:
        """Return the body and headers of an answer; None: nothing has been counted or logged yet, and Flask is to be asked."""
        workload = self._workloads.get(environ["PATH_INFO"])
        if workload is None or not _is_plain(environ):
            return None
        try:
            return self._answer(workload, environ, body, started, log)
        except Exception:  # noqa: BLE001  # whatever it is, Flask meets it too, and says it as it has to be said
            return None

    def _answer(
        self, workload: str, environ: dict[str, Any], body: bytes, started: float, log: Lines
    ) -> Answered | None:
        """Return the body and headers of an answer; None, or an error, means that nothing has been counted or logged yet."""
        service, request_id = self._service, name_request(environ)
        holder = service.keys.holder(environ["HTTP_X_API_KEY"])
        desk = self._desks.of(workload)
        form = desk.form_of_body(body)
        if form is None or holder is None or "predict" not in holder.scopes:
            return None
        allowance = take_both(service.limits, environ, holder.key_id) if service.limits else None
        if allowance is not None and not allowance.allowed:
            return None
        caller = read_caller(service, environ, request_id=request_id, key_id=holder.key_id, started=started)
        content = desk.settle(form, caller, log, now=service.clock())
        desk.meters.count(200, time.perf_counter() - started)
        return content, [
            ("Content-Type", JSON),
            ("Content-Length", str(len(content))),
            *(tell(allowance) if allowance else ()),
            ("X-Request-ID", request_id),
            ("X-Track", service.track.value),
            ("X-Release", desk.serving.name),
        ]


def _is_plain(environ: dict[str, Any]) -> bool:
    """Whether it is a POST of a known length with a key, and asks for no track."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and length.isdecimal()
        and len(length) <= LONGEST_LENGTH
        and "HTTP_X_API_KEY" in environ
        and "HTTP_X_TRACK" not in environ
    )


def _take_body(environ: dict[str, Any]) -> bytes:
    content: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    return content
