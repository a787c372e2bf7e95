"""Constant load for fault tests: people who ask over and over, each on a connection that stays; every answer and failure is kept."""

import http.client
import json
import threading
import time
from collections import Counter

import psycopg2

LOGGED = "SELECT prediction_id FROM forecasts"


class Load:
    """Asks while it lasts. With `again`, a connection that the other side closed between two requests is opened anew, as clients do."""

    def __init__(self, port, key, path, question, *, people=4, pause=0.01, again=False):
        self.ids, self.failed, self.releases, self.reopened = [], [], Counter(), 0
        self._port, self._path, self._question = port, path, json.dumps(question)
        self._key, self._pause, self._again, self._stop = key, pause, again, threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(f"user-{number}",)) for number in range(people)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        time.sleep(0.5)
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _run(self, user):
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop.is_set():
            try:
                answer, body = self._ask(client, user)
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                client.close()
                continue
            if answer.status == 200:
                self.ids += _ids_of(json.loads(body))
                self.releases[answer.headers["X-Release"]] += 1
            else:
                self.failed.append((answer.status, body[:200]))
            time.sleep(self._pause)
        client.close()

    def _ask(self, client, user):
        headers = {"X-API-Key": self._key, "X-User-Id": user}
        try:
            client.request("POST", self._path, self._question, headers)
            answer = client.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            client.close()
            if not self._again:
                raise
            self.reopened += 1
            client.request("POST", self._path, self._question, headers)
            answer = client.getresponse()
        return answer, answer.read()


def _ids_of(answer):
    """Of one forecast, or of a batch's; a problem in it has none."""
    return [one["prediction_id"] for one in answer.get("results", [answer])]


def logged(database):
    """How often each prediction id is in the forecast log."""
    connection = psycopg2.connect(database)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(LOGGED)
            return Counter(row[0] for row in cursor.fetchall())
    finally:
        connection.close()


def assert_nothing_is_missing(database, load, *, lost=0, timeout=30):
    """No forecast failed, and each that was answered is in the log exactly once, or counted as lost."""
    assert load.failed == [], f"{len(load.failed)} failed: {load.failed[:5]}"
    assert len(load.ids) == len(set(load.ids)) > 50
    end = time.monotonic() + timeout
    while len(missing := set(load.ids) - logged(database).keys()) > lost:
        assert time.monotonic() < end, (
            f"{len(missing)} of {len(load.ids)} forecasts are not in the log, {lost} are counted as lost"
        )
        time.sleep(0.3)
    assert len(missing) == lost
    assert max(logged(database).values()) == 1
