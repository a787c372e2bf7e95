"""The two ways through the application: with what is before Flask, and without."""

import re
from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from inference import create_app
from ratchet.serve.limits import Limits, RateLimits
from ratchet.serve.metrics import ServeMetrics

PATH = "/api/parcels/predict"
KEY = {"X-API-Key": "rk_p"}


class Way:
    """One way through the application, with a log and figures of its own."""

    def __init__(self, house, folder, *, short, per_key=10**9, per_address=10**9):
        self.registry = CollectorRegistry()
        metrics = ServeMetrics(self.registry, track=house.service.track)
        metrics.loaded(house.slot.current, house.service.track)
        self.log = type(house.log)()
        self.counts = RateLimits(folder / f"limits-{short}.bin", clock=lambda: 60_000_015.0)
        limits = Limits(counts=self.counts, per_key=per_key, per_address=per_address)
        app = create_app(replace(house.service, metrics=metrics, log=self.log, limits=limits))
        self.flask_asked = 0
        wrapped = app.wsgi_app._app

        def counted(environ, start_response):
            self.flask_asked += 1
            return wrapped(environ, start_response)

        app.wsgi_app._app = counted
        self.wsgi = app.wsgi_app if short else counted

    def ask(self, how, headers):
        environ = EnvironBuilder(**{"path": PATH, "method": "POST", **how}, headers=headers).get_environ()
        content, status, answered = run_wsgi_app(self.wsgi, environ)
        return status, _same_ids(list(answered)), _same_ids(b"".join(content))

    def rows(self):
        return _same_ids(self.log.records)

    def figures(self):
        lines = generate_latest(self.registry).decode().splitlines()
        return [line for line in lines if not re.search("_sum|_bucket|_created", line)]


def _same_ids(said):
    """What differs from one request to the next by its nature: ids and times."""
    text = re.sub(r"[\w-]{44}\.[pc]\.", "ID.", said.decode() if isinstance(said, bytes) else repr(said))
    return re.sub(r"\b[0-9a-f]{24}\b", "ID", re.sub(r"'latency_ms': [\d.e-]+", "", text))
