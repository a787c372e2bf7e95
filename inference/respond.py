"""Answers as JSON, the fast way."""

from typing import Any

import orjson
from flask import Response


def as_json(body: dict[str, Any], status: int = 200, *, mimetype: str = "application/json") -> Response:
    """Return a body as a JSON response; times become ISO 8601."""
    return Response(orjson.dumps(body), status, content_type=mimetype)
