"""The short way to a forecast: a plain, valid question of a known series is answered before Flask is asked; all else goes on to Flask.

So is a batch, if everything in it was asked before: then it is put together in a moment, and nobody waits for long behind it.

Flask's own work for a request costs as much as a forecast does. What is said, logged and counted comes from the functions that the
views use, and `tests/unit/inference/test_shortcut.py` holds both ways to the same answers, log rows and figures.
"""

import io
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from inference.desk import Desk, Desks
from inference.giving import give
from inference.identity import Caller, read_caller
from inference.items import CSV
from inference.limits import cost_of, may_ask, take_both, tell
from inference.logs import Seldom
from inference.problems import ProblemError
from inference.respond import JSON
from inference.service import Lines, Service
from inference.trail import name_request
from ratchet.contracts.errors import RatchetError
from ratchet.serve.limits import Allowance

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ANY = "*/*"
LONGEST_QUESTION = 8192
"""Bytes: the longest name takes six thousand, escaped. To find all that is wrong with a longer body may take many milliseconds."""
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
        self._trouble = Seldom(__name__, "the short way failed, and Flask was asked")
        paths = {workload: f"/api/{workload}/predict" for workload in service.answerer.workloads()}
        self._ways = {path: (self._answer, workload) for workload, path in paths.items()}
        self._ways |= {f"{path}/batch": (self._answer_batch, workload) for workload, path in paths.items()}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, or have Flask answer: to the client it is the same."""
        started = time.perf_counter()
        if environ["PATH_INFO"] not in self._ways or "HTTP_CONTENT_ENCODING" in environ or not _is_plain(environ):
            return self._app(environ, start_response)
        body: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        answered = self.answer(environ, body, started, self.log)
        if answered is None:
            environ["wsgi.input"] = io.BytesIO(body)
            return self._app(environ, start_response)
        content, headers = answered
        start_response("200 OK", headers)
        return [content]

    def answer(self, environ: dict[str, Any], body: bytes, started: float, log: Lines) -> Answered | None:
        """Return the body and headers of an answer; None: nothing has been counted or logged yet, and Flask is to be asked."""
        way = self._ways.get(environ["PATH_INFO"])
        if way is None or not _is_plain(environ):
            return None
        answer, workload = way
        try:
            holder = self._service.keys.holder(environ["HTTP_X_API_KEY"])
            # Nobody else has anything read here, where others would wait for it.
            if holder is None or "predict" not in holder.scopes:
                return None
            return answer(self._desks.of(workload), holder.key_id, environ, body, started, log)
        except (RatchetError, ProblemError, ValidationError):  # Flask meets it too, and says it as it has to be said
            return None
        except Exception as error:  # noqa: BLE001  # a fault of ours: Flask's way may have none, and is slow
            self._trouble.tell(error)
            return None

    def _answer(
        self, desk: Desk, key_id: str, environ: dict[str, Any], body: bytes, started: float, log: Lines
    ) -> Answered | None:
        """Return the body and headers of an answer; None, or an error, means that nothing has been counted or logged yet."""
        form = desk.form_of_body(body) if len(body) <= LONGEST_QUESTION else None
        admitted = self._admit(key_id, environ, started) if form else None
        if form is None or admitted is None:
            return None
        caller, allowance = admitted
        content = desk.settle(form, caller, log, now=self._service.clock())
        desk.meters.count(200, time.perf_counter() - started)
        return content, self._headers(desk, caller, allowance, len(content))

    def _answer_batch(
        self, desk: Desk, key_id: str, environ: dict[str, Any], body: bytes, started: float, log: Lines
    ) -> Answered | None:
        """Do the same for a batch in JSON."""
        has_room = _is_json(environ) and may_ask(self._service.limits, environ, key_id)
        forms = desk.memory.of_batch(body) if has_room else None
        admitted = self._admit(key_id, environ, started, cost_of(len(forms))) if forms else None
        if forms is None or admitted is None:
            return None
        caller, allowance = admitted
        content = give(desk, forms, caller, log, now=self._service.clock())
        desk.meters.count(200, None)
        return content, self._headers(desk, caller, allowance, len(content))

    def _admit(
        self, key_id: str, environ: dict[str, Any], started: float, cost: int = 1
    ) -> tuple[Caller, Allowance | None] | None:
        """Say who asks and what is left of their limits; None where Flask has to refuse, and nothing is counted yet."""
        limits = self._service.limits
        if limits is not None and cost > 1 and not limits.could_allow(cost):
            return None
        allowance = take_both(limits, environ, key_id, cost) if limits else None
        if allowance is not None and not allowance.allowed:
            return None
        request_id = name_request(environ)
        return read_caller(self._service, environ, request_id=request_id, key_id=key_id, started=started), allowance

    def _headers(self, desk: Desk, caller: Caller, allowance: Allowance | None, length: int) -> list[tuple[str, str]]:
        return [
            ("Content-Type", JSON),
            ("Content-Length", str(length)),
            *(tell(allowance) if allowance else ()),
            ("X-Request-ID", caller.request_id),
            ("X-Track", self._service.track.value),
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


def _is_json(environ: dict[str, Any]) -> bool:
    """Whether it is said in JSON and may be answered so."""
    return CSV not in environ.get("CONTENT_TYPE", "").lower() and environ.get("HTTP_ACCEPT", ANY) in (ANY, JSON)
