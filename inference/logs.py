"""Log lines as JSON on standard error, each with the request and key id it belongs to; never a key."""

import logging
import time
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from flask import g, has_request_context

EXTRA: Final = ("status", "release", "seconds")
QUIET_SECONDS: Final = 60.0


class JsonFormatter(logging.Formatter):
    """One line of JSON per record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, a traceback included."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: value for name in EXTRA if (value := getattr(record, name, None)) is not None})
        if has_request_context():
            line.update({name: g.get(name) for name in ("request_id", "key_id") if g.get(name)})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class Seldom:
    """Says that something fails, once a minute at most: what fails may do so for every request."""

    def __init__(self, logger: str, what: str) -> None:
        self._logger = logging.getLogger(logger)
        self._what = what
        self._times = 0
        self._quiet_until = 0.0

    def tell(self, error: Exception) -> None:
        """Say where it failed now, and how often since that was last said."""
        self._times += 1
        if (now := time.monotonic()) >= self._quiet_until:
            self._logger.error(
                "%s (%d times since it was last said): %r", self._what, self._times, error, exc_info=error
            )
            self._times, self._quiet_until = 0, now + QUIET_SECONDS


def configure() -> None:
    """Send everything of ours from INFO on, and others' warnings, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for ours in ("ratchet", "inference"):
        logging.getLogger(ours).setLevel(logging.INFO)
