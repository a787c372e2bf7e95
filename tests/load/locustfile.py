"""People as they are, for locust: `make load` sends them to a running `make up`, for a bounded time and in a bounded number.

Most look at a forecast or two and leave; some rate what they saw, now and then with the wrong id; a few programs ask in batches, look
things up, or bring a history of their own. What they ask for is Zipf-distributed, as what people look at is.
"""

import json
import os
import random
from pathlib import Path

from locust import FastHttpUser, between, events, task

WORKLOAD = os.environ.get("LOAD_WORKLOAD", "github_activity")
HOME = Path(os.environ.get("DATA_HOME", ".ratchet"))
MOST_SERIES = 1000


def _key():
    return os.environ.get("LOAD_KEY") or json.loads((HOME / "api-keys.json").read_text())["predict"]


class Client(FastHttpUser):
    """Somebody with a key and a name, who knows what can be asked for."""

    abstract = True
    series: list = []  # noqa: RUF012  # shared on purpose: all of them look at the same list

    def on_start(self):
        self.head = {"X-API-Key": _key(), "X-User-Id": f"load-{random.randrange(400)}"}
        if not self.series:
            with self.client.get(
                f"/api/{WORKLOAD}/series?limit={MOST_SERIES}", headers=self.head, name="series"
            ) as said:
                self.series.extend(said.json()["series"])
                random.Random(1).shuffle(self.series)

    def pick(self):
        """One series: the first of the list far more often than the last."""
        return self.series[min(int(random.paretovariate(1.1)) - 1, len(self.series) - 1)]

    def post(self, what, body, *, expect=(200,)):
        with self.client.post(
            f"/api/{WORKLOAD}/{what}", json=body, headers=self.head, name=what, catch_response=True
        ) as said:
            if said.status_code not in expect:
                said.failure(f"{said.status_code} {said.text[:120] if said.text else ''}")
                return None
            said.success()
            return said.json()


class Reader(Client):
    """Looks at a forecast, perhaps at a second one, and sometimes says what it was worth."""

    weight = 8
    wait_time = between(0.5, 3)

    @task(10)
    def look(self):
        found = self.post("predict", {**self.pick(), "horizon": random.choice((1, 4, 8, 8, 12))})
        if found and random.random() < 0.3:
            self.post(
                "feedback",
                {"prediction_id": found["prediction_id"], "kind": "rating", "value": random.randint(2, 5)},
                expect=(202,),
            )

    @task(1)
    def mistype(self):
        one = self.pick()
        id_name = next(name for name in one if name != "target")
        self.post("predict", {**one, id_name: "no/such-thing"}, expect=(404,))


class Program(Client):
    """Asks on a schedule, many at a time, and with histories of its own."""

    weight = 2
    wait_time = between(1, 5)

    @task(5)
    def many(self):
        items = [self.pick() for _ in range(random.choice((10, 50, 200)))]
        said = self.post("predict/batch", {"items": items})
        if said and said["failed"]:
            events.request.fire(
                request_type="check",
                name="batch",
                response_time=0,
                response_length=0,
                exception=ValueError(said["failed"]),
            )

    @task(2)
    def bring_a_history(self):
        one = self.pick()
        id_name = next(name for name in one if name != "target")
        history = [random.randint(0, 40) for _ in range(random.choice((3, 26, 80)))]
        self.post("predict", {**one, id_name: "load/own", "history": history})

    @task(1)
    def ask_what_is_served(self):
        self.client.get(f"/api/{WORKLOAD}/release", headers=self.head, name="release")
