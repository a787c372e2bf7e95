"""People who use the router in the end-to-end tests: one keep-alive connection each, every answer kept."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self

SERIES = {"repository": "sample/busy-framework", "target": "commits", "horizon": 4}


@dataclass
class Person:
    """A client with a stable user id."""

    port: int
    key: str
    user: str
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def post(self, what: str, body: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"X-API-Key": self.key, "X-User-Id": self.user, "Content-Type": "application/json"}
        self._connection.request("POST", f"/api/github_activity/{what}", json.dumps(body), headers)
        answer = self._connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read())

    def ask(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        return self.post("predict", SERIES)

    def leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SteadyLoad:
    """Asks over and over from a few threads until told to stop; keeps what failed and which releases answered."""

    def __init__(self, port: int, key: str, *, people: int = 3, pause: float = 0.02) -> None:
        self.asked, self.failed, self.releases = 0, [], []
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(Person(port, key, f"steady-{number}"), pause))
            for number in range(people)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _run(self, person: Person, pause: float) -> None:
        while not self._stop.is_set():
            try:
                status, headers, _ = person.ask()
                problem = None if status == 200 else str(status)
                release = headers.get("X-Release", "")
            except (OSError, http.client.HTTPException) as error:
                problem, release = repr(error), ""
                person.leave()
            with self._lock:
                self.asked += 1
                if problem:
                    self.failed.append(problem)
                elif release not in self.releases:
                    self.releases.append(release)
            time.sleep(pause)
        person.leave()
