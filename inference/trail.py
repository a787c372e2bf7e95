"""What every request leaves behind: its id, its track and release, its count, and a log line unless it was routine."""

import logging
import random
import re
import time
from typing import TYPE_CHECKING, Final

from flask import Flask, Request, Response

from inference.here import asked, kept
from inference.service import Service

if TYPE_CHECKING:
    from flask.ctx import _AppCtxGlobals

logger = logging.getLogger(__name__)

SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
COUNTED: Final = "predict.predict"
NOTHING_LOADED: Final = "none"
# An answered forecast is in the forecast log with its request id; a second line for each would cost as much as the rest.
ROUTINE: Final = frozenset({COUNTED, "health.health", "health.ready", "metrics.metrics", "release.release"})


def register(app: Flask, service: Service) -> None:
    """Begin and end every request of the application."""
    track = service.track.value

    @app.before_request
    def begin() -> None:
        g = kept()
        g.started = time.perf_counter()
        given = asked().environ.get("HTTP_X_REQUEST_ID")
        g.request_id = given if given and SANE_ID.fullmatch(given) else f"{random.getrandbits(96):024x}"  # no secret

    @app.after_request
    def end(response: Response) -> Response:
        g, request = kept(), asked()
        seconds = time.perf_counter() - g.started
        release = _name_release(service, request, g)
        response.headers.add("X-Request-ID", g.request_id)
        response.headers.add("X-Track", track)
        if release:
            response.headers.add("X-Release", release)
        endpoint = request.endpoint
        if (
            endpoint == COUNTED and "X-Accel-Redirect" not in response.headers and not g.get("replayed")
        ):  # handed to the other track, which counts it; a warm-up is nobody's request
            _count(service, request, response.status_code, release, seconds)
        if endpoint not in ROUTINE or response.status_code >= 400:
            _log(request, response.status_code, release, seconds)
        return response


def _name_release(service: Service, request: Request, g: "_AppCtxGlobals") -> str | None:
    """Return the name of the release that answered or, if the request did not get that far, would have."""
    serving = g.get("serving") or service.answerer.current((request.view_args or {}).get("workload", ""))
    return serving.name if serving else None


def _count(service: Service, request: Request, status: int, release: str | None, seconds: float) -> None:
    workload = (request.view_args or {}).get("workload", "")
    if service.answerer.serves(workload):  # a name that somebody made up must not become a label
        service.metrics.of(workload, service.track.value, release or NOTHING_LOADED).count(status, seconds)


def _log(request: Request, status: int, release: str | None, seconds: float) -> None:
    extra = {"status": status, "release": release, "seconds": round(seconds, 6)}
    logger.info("%s %s", request.method, request.path, extra=extra)
