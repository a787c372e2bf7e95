"""What every request leaves behind: its id, its track and release, its count, and a log line unless it was routine."""

import logging
import random
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Request, Response

from inference.here import asked, kept
from inference.service import Service

if TYPE_CHECKING:
    from flask.ctx import _AppCtxGlobals

logger = logging.getLogger(__name__)

SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
PREDICT: Final = "predict.predict"
COUNTED: Final = frozenset({PREDICT, "batch.batch"})
NOTHING_LOADED: Final = "none"
# An answered forecast is in the forecast log with its request id; a second line for each would cost as much as the rest.
ROUTINE: Final = frozenset({*COUNTED, "health.health", "health.ready", "metrics.metrics", "release.release"})


def register(app: Flask, service: Service) -> None:
    """Begin and end every request of the application."""
    track = service.track.value

    @app.before_request
    def begin() -> None:
        g = kept()
        g.started = time.perf_counter()
        g.request_id = name_request(asked().environ)

    @app.after_request
    def end(response: Response) -> Response:
        g, request = kept(), asked()
        seconds = time.perf_counter() - g.started
        release = _name_release(service, request, g)
        response.headers.add("X-Request-ID", g.request_id)
        response.headers.add("X-Track", track)
        if release:
            response.headers.add("X-Release", release)
        if request.method != "POST":  # no cache keeps what was posted; a key in a header of ours says nothing to one
            response.headers["Cache-Control"] = "no-store"
        endpoint = request.endpoint
        # What is handed to the other track is counted there, and a warm-up is nobody's request.
        if endpoint in COUNTED and "X-Accel-Redirect" not in response.headers and not g.get("replayed"):
            _count(service, request, response.status_code, release, seconds)
        if endpoint not in ROUTINE or response.status_code >= 400:
            _log(request, response.status_code, release, seconds)
        return response


def name_request(environ: Mapping[str, Any]) -> str:
    """Return the id that a request came with, if it is sane, or a new one."""
    given = environ.get("HTTP_X_REQUEST_ID")
    return given if given and SANE_ID.fullmatch(given) else f"{random.getrandbits(96):024x}"  # no secret


def _name_release(service: Service, request: Request, g: "_AppCtxGlobals") -> str | None:
    """Return the name of the release that answered or, if the request did not get that far, would have."""
    serving = g.get("serving") or service.answerer.current((request.view_args or {}).get("workload", ""))
    return serving.name if serving else None


def _count(service: Service, request: Request, status: int, release: str | None, seconds: float) -> None:
    workload = (request.view_args or {}).get("workload", "")
    if service.answerer.serves(workload):  # a name that somebody made up must not become a label
        meters = service.metrics.of(workload, service.track.value, release or NOTHING_LOADED)
        meters.count(status, seconds if request.endpoint == PREDICT else None)


def _log(request: Request, status: int, release: str | None, seconds: float) -> None:
    extra = {"status": status, "release": release, "seconds": round(seconds, 6)}
    logger.info("%s %s", request.method, request.path, extra=extra)
