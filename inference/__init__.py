"""How releases are served over HTTP: one application per track, one blueprint per concern."""

from flask import Flask

from inference import (
    batch,
    choice,
    docs,
    feedback,
    gold,
    health,
    limits,
    metrics,
    operate,
    orders,
    predict,
    problems,
    release,
    trail,
)
from inference.desk import Desks
from inference.lean import LeanFlask
from inference.service import Service
from inference.shortcut import Shortcut

MAX_BODY_BYTES = 1 << 20


def create_app(service: Service) -> Flask:
    """Make the application of one track; everything it needs of the world comes in `service`."""
    app = LeanFlask("inference", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    trail.register(app, service)
    problems.register(app)
    choice.register(app, service)
    limits.register(app)
    desks = Desks(service)
    for forecasts in (predict, batch):
        app.register_blueprint(forecasts.make(service, desks))
    for concern in (feedback, release, gold, operate, orders, health, metrics, docs):
        app.register_blueprint(concern.make(service))
    app.wsgi_app = Shortcut(app.wsgi_app, service, desks)  # type: ignore[method-assign]  # Flask's documented place for this
    return app


__all__ = ["Service", "create_app"]
