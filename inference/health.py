"""`/api/health`: the process lives. `/api/ready`: every workload has a release."""

from flask import Blueprint, Response

from inference.problems import NOT_READY, problem
from inference.respond import as_json
from inference.service import Service


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("health", __name__)

    @bp.get("/api/health")
    def health() -> Response:
        return as_json({"status": "alive", "track": service.track.value})

    @bp.get("/api/ready")
    def ready() -> Response:
        if missing := service.answerer.missing():
            return problem(NOT_READY, f"No release of {', '.join(missing)} is loaded on this track.")
        releases = {serving.release.workload: serving.name for serving in service.answerer.loaded()}
        return as_json({"status": "ready", "track": service.track.value, "releases": releases})

    return bp
