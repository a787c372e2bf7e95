"""`/metrics` for Prometheus, on the service's own port; the router does not let it through."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from inference.service import Service


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("metrics", __name__)

    @bp.get("/metrics")
    def metrics() -> Response:
        return Response(service.exposition(), content_type=CONTENT_TYPE_LATEST)

    return bp
