"""`/openapi.json` for programs and `/docs` for people: one page that needs nothing from anywhere else."""

from importlib.metadata import version
from pathlib import Path
from typing import Final

from flask import Blueprint, Response

from inference.openapi import Document
from inference.service import Service

PAGE: Final = Path(__file__).with_name("docs.html")
# The page shows what the document says: nothing else may run in it or be loaded by it.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("docs", __name__)
    page, described = PAGE.read_bytes(), Document(service, version("ratchet"))

    @bp.get("/openapi.json")
    def document() -> Response:
        return Response(described.content(), mimetype="application/json")

    @bp.get("/docs")
    def docs() -> Response:
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(page, mimetype="text/html", headers=headers)

    return bp
