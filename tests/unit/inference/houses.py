"""A track as the tests of inference meet it: real serving, with log, keys and registry in memory."""

import orjson
from prometheus_client import CollectorRegistry, generate_latest

from inference import Service, create_app
from ratchet.contracts.errors import NotReadyError
from ratchet.contracts.ports import Track
from ratchet.serve.answer import Answerer
from ratchet.serve.keys import Holder
from ratchet.serve.metrics import ServeMetrics
from ratchet.serve.release import open_release
from ratchet.serve.swap import ReleaseSlot, Serving
from releases import DATA_HOUR, make_release, registered

SECRET = b"of the tests"


class ListLog:
    """A forecast log in memory; it can be full."""

    def __init__(self):
        self.records = []
        self.full = False

    def append(self, record):
        if not self.full:
            self.records.append(record)
        return not self.full

    def append_lines(self, lines, records, answers):
        said = {one: orjson.loads(line) for one, line in answers.items()}
        for one, content in said.items():
            assert content.pop("answer_id").encode() == one
        found = [orjson.loads(line) for line in lines.splitlines()]
        assert len(found) == records
        return all(self.append(said[record.pop("answer_id").encode()] | record) for record in found)


class KnownKeys:
    """Keys by their text; None while nobody can say."""

    def __init__(self):
        self.holders = {
            "rk_p": Holder(key_id="p", name="a user", scopes=frozenset({"predict"}), digest=b""),
            "rk_o": Holder(key_id="o", name="an operator", scopes=frozenset({"operate"}), digest=b""),
        }

    def holder(self, key):
        if self.holders is None:
            raise NotReadyError("the list of API keys has not been loaded yet")
        return self.holders.get(key)


class House:
    """One track with one release and everything around it in memory."""

    def __init__(self, home, track=Track.PRODUCTION):
        self.log, self.keys, self.registry = ListLog(), KnownKeys(), CollectorRegistry()
        self.metrics = ServeMetrics(self.registry, track=track)
        self.slot, self.letters = ReleaseSlot("parcels", track), ReleaseSlot("letters", track)
        self.home = home
        self.service = Service(
            answerer=Answerer([self.slot, self.letters]),
            log=self.log,
            keys=self.keys,
            metrics=self.metrics,
            exposition=lambda: generate_latest(self.registry),
            track=track,
            secret=SECRET,
            clock=lambda: DATA_HOUR,
        )
        self.app = create_app(self.service)
        self.client = self.app.test_client()

    def load(self, version=1, **card):
        folder = self.home / f"r{version}"
        make_release(folder, release_id=f"r{version}", level=10.0 * version, **card)
        names = {"best_of": f"BO{version}", "candidate_of": f"CO{version}"}
        release = registered(folder, release_id=f"r{version}", version=version, **names)
        name = release.name_on(self.slot.track)
        self.slot.current = Serving(release=release, name=name, opened=open_release(folder, verify=True))
        self.metrics.loaded(self.slot.current, self.slot.track)

    def predict(self, body=None, *, workload="parcels", key="rk_p", **headers):
        body = {"depot": "north/a", "target": "sent"} if body is None else body
        how = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(f"/api/{workload}/predict", headers=head(key, headers), **how)

    def feedback(self, body, *, workload="parcels", key="rk_p", **headers):
        return self.client.post(f"/api/{workload}/feedback", json=body, headers=head(key, headers))

    def get(self, path, *, key="rk_p", **headers):
        return self.client.get(path, headers=head(key, headers))

    def requests(self, status):
        labels = {"workload": "parcels", "track": str(self.slot.track), "release": "BO1", "status": status}
        return self.registry.get_sample_value("ratchet_requests_total", labels)


def head(key, headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {**({"X-API-Key": key} if key else {}), **named}
