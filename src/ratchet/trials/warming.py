"""Warming a candidate up: real questions, replayed against its own track, that count as nobody's."""

import http.client
import json
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from ratchet.observe.asked import Question
from ratchet.serve.replay import HEADER, issue_ticket

log = logging.getLogger("ratchet.trials")

ROUND_SECONDS: Final = 20.0
"""The workload's lock is held meanwhile, and others wait for it for half a minute at most."""
TIMEOUT_SECONDS: Final = 5.0
OWN_SERIES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Replays questions against one track. Whatever goes wrong is a request that was not answered."""

    address: str
    secret: bytes
    answered: dict[str, int] = field(default_factory=dict)
    """By `release_id`: what a slow one had answered, all that it was asked, when its last round's time was over."""

    def replay(self, workload: str, release_id: str, asked: Sequence[Question], requests: int) -> int:
        """Go through the questions again and again; how many of `requests` requests were answered with a forecast.

        It asks for `ROUND_SECONDS` at most, and goes on from there when it is called again, unless something failed.
        """
        address = urlsplit(self.address)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=TIMEOUT_SECONDS)
        before = self.answered.pop(release_id, 0)
        answered, failed = before, 0
        try:
            for status in islice(self._statuses(connection, workload, asked, before), requests - before):
                answered += status == http.HTTPStatus.OK
                failed += status != http.HTTPStatus.OK
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            log.warning("the candidate's track broke off its warm-up after %d answers: %r", answered, error)
            failed += 1
        finally:
            connection.close()
        if answered < requests and not failed:
            self.answered[release_id] = answered
        return answered

    def _own_series(self, connection: http.client.HTTPConnection, workload: str) -> tuple[str, list[Question]]:
        """What the release calls a `unique_id`, and its first series: all there is to ask where nobody asked yet."""
        _, page = self._ask(connection, f"/api/{workload}/series?limit={OWN_SERIES}")
        own = [dict(series) for series in page["series"]]
        id_name = next(name for name in own[0] if name != "target")
        return id_name, [Question(unique_id=one[id_name], target=one["target"], horizon=1) for one in own]

    def _statuses(
        self, connection: http.client.HTTPConnection, workload: str, asked: Sequence[Question], passed: int
    ) -> Iterator[int]:
        """Ask in turn, the first after those that were passed, until time is up.

        A series that this release lacks is left out: not knowing one is no fault of the track.
        """
        until = time.monotonic() + ROUND_SECONDS
        id_name, own = self._own_series(connection, workload)
        left = deque(dict.fromkeys((*asked, *own)))
        left.rotate(-passed)
        while left and time.monotonic() < until:
            question = left.popleft()
            body = {id_name: question.unique_id, "target": question.target, "horizon": question.horizon}
            status, _ = self._ask(connection, f"/api/{workload}/predict", body)
            if status != http.HTTPStatus.NOT_FOUND:
                left.append(question)
                yield status

    def _ask(
        self, connection: http.client.HTTPConnection, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", HEADER: issue_ticket(self.secret, now=datetime.now(UTC))}
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
