"""What every request leaves behind: its id, its track and release, its count, and a log line unless it was routine."""

import logging
import os
import re
import time
from typing import Final

from flask import Flask, Response, g, request

from inference.service import Service

logger = logging.getLogger(__name__)

SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
COUNTED: Final = "predict.predict"
NOTHING_LOADED: Final = "none"
# An answered forecast is in the forecast log with its request id; a second line for each would cost as much as the rest.
ROUTINE: Final = frozenset({COUNTED, "health.health", "health.ready", "metrics.metrics", "release.release"})


def register(app: Flask, service: Service) -> None:
    """Begin and end every request of the application."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-ID")
        g.request_id = given if given and SANE_ID.fullmatch(given) else os.urandom(12).hex()

    @app.after_request
    def end(response: Response) -> Response:
        release = _name_release(service)
        response.headers["X-Request-ID"] = g.request_id
        response.headers["X-Track"] = service.track.value
        if release:
            response.headers["X-Release"] = release
        if request.endpoint == COUNTED:
            _count(service, response.status_code, release)
        if request.endpoint not in ROUTINE or response.status_code >= 400:
            _log(response.status_code, release)
        return response


def _name_release(service: Service) -> str | None:
    """Return the name of the release that answered or, if the request did not get that far, would have."""
    serving = g.get("serving") or service.answerer.current((request.view_args or {}).get("workload", ""))
    return serving.name if serving else None


def _count(service: Service, status: int, release: str | None) -> None:
    workload = (request.view_args or {}).get("workload", "")
    if service.answerer.serves(workload):  # a name that somebody made up must not become a label
        meters = service.metrics.of(workload, service.track.value, release or NOTHING_LOADED)
        meters.count(status, time.perf_counter() - g.started)


def _log(status: int, release: str | None) -> None:
    logger.info(
        "%s %s",
        request.method,
        request.path,
        extra={"status": status, "release": release, "seconds": round(time.perf_counter() - g.started, 6)},
    )
