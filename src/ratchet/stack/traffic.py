"""`make traffic`: people who ask for forecasts and rate them by how wrong they turned out, for a while, on this machine only.

Nobody knows the future of a real series, but the sample's is part of the sample: what came next decides each rating, so a better
release earns better ratings for the reason it should.
"""

import csv
import http.client
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.workload import Workload
from ratchet.observe import PostgresJournal
from ratchet.settings import Settings
from ratchet.stack import api_keys, first_turn, secrets
from ratchet.stack.paths import Home
from ratchet.stack.services import Stack
from ratchet.stack.supervised import Supervisor

_PEOPLE = 1500
_HORIZON = 4
_RATE_SHARE = 0.5
_SENDERS = 4
_SCRAPE_SECONDS = 11
_MAX_SECONDS = 3600
_UNDECIDED = ("canary", "ab")

Series = tuple[str, str]


@dataclass(slots=True)
class Sent:
    """What was sent and what came back, by the track and release that answered."""

    answers: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    ratings: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    seen_on: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One person's request, drawn ahead of time so that a seed says exactly what is asked."""

    at: float
    user: str
    series: Series
    mood: float
    rates: bool


def run(settings: Settings, *, seconds: float, rate: float, seed: int) -> None:
    """Send users for `seconds`, then look at the experiment once, and print all of it."""
    home = Home(settings.home)
    if not Supervisor(home).is_running():
        raise RatchetError("Ratchet is stopped. `make up` starts it.")
    if not 0 < seconds <= _MAX_SECONDS or not 0 < rate <= 200:  # a simulation for one machine, not a load test
        raise RatchetError("traffic is bounded: more than nothing, at most an hour, at most 200 forecasts a second")
    stack = Stack(settings=settings, secrets=secrets.load(home.secrets), home=home)
    key = api_keys.of_home(home, stack.shared_environment).predict
    _require_sample(first_turn.release(stack, key))
    workload = first_turn.first_workload(stack)
    with workload.sample_actuals.open() as lines:
        actuals = _read_actuals(csv.DictReader(lines))
    visits = _draw(list(actuals), seconds=seconds, rate=rate, seed=seed)
    print(
        f"{len(visits)} forecasts for {_PEOPLE} simulated people over {seconds:.0f} s; they rate by what the synthetic sample holds back"
    )
    _report(Sender(stack, workload, actuals, key).send(visits))
    _look(stack, workload.name, workload.dag_id("evaluate_ab"), seed=seed)


def _require_sample(release: dict[str, Any] | None) -> None:
    """Return where simulated people do no harm: their ratings are counted, and the experiment is judged by the plain rule."""
    if release is None:
        raise RatchetError("no release answers yet: `make up` trains the first one")
    if not release["synthetic"]:
        raise RatchetError(
            f"{release['release']} was trained on data of your own: simulated people would rate it by an invented future, and"
            " decide its experiment. They are for the sample"
        )


def _read_actuals(rows: Iterable[dict[str, str]]) -> dict[Series, list[float]]:
    actuals: defaultdict[Series, list[float]] = defaultdict(list)
    for row in rows:
        actuals[row["unique_id"], row["target"]].append(float(row["y"]))
    return dict(actuals)


def _draw(series: list[Series], *, seconds: float, rate: float, seed: int) -> list[Visit]:
    """Zipf over what is asked for and over who asks; Poisson arrivals."""
    random = np.random.default_rng(seed)
    ids = sorted({unique_id for unique_id, _ in series})
    targets = {unique_id: [target for found, target in series if found == unique_id] for unique_id in ids}
    random.shuffle(ids)
    count = random.poisson(rate * seconds)
    what = random.choice(len(ids), size=count, p=_zipf(len(ids), 1.1))
    who = random.choice(_PEOPLE, size=count, p=_zipf(_PEOPLE, 0.6))
    return [
        Visit(
            at=at,
            user=f"person-{who[number]:03d}",
            series=(ids[what[number]], str(random.choice(targets[ids[what[number]]]))),
            mood=float(random.normal(0.0, 0.5)),
            rates=bool(random.random() < _RATE_SHARE),
        )
        for number, at in enumerate(np.sort(random.uniform(0, seconds, size=count)))
    ]


def _zipf(size: int, exponent: float) -> Any:  # noqa: ANN401  # a numpy vector
    weights = 1.0 / np.arange(1, size + 1) ** exponent
    return weights / weights.sum()


def rating(forecast: list[float], actual: list[float], *, mood: float) -> int:
    """Stars for a forecast: five for a perfect one, one star less for each quarter that it was off in all, give or take a mood."""
    total = sum(actual)
    off = sum(abs(said - was) for said, was in zip(forecast, actual, strict=True)) / max(total, float(len(actual)))
    return int(min(5, max(1, round(5 - 4 * off + mood))))


class Sender:
    """Sends visits through the router, one connection per sending thread, and keeps count."""

    def __init__(self, stack: Stack, workload: Workload, actuals: dict[Series, list[float]], key: str) -> None:
        self.sent = Sent()
        self._port = stack.settings.router_port
        self._key = key
        self._workload, self._actuals = workload, actuals
        self._local = threading.local()
        self._begin = 0.0

    def send(self, visits: list[Visit]) -> Sent:
        """Make every visit at its time; what came of them."""
        self._begin = time.monotonic()
        with ThreadPoolExecutor(_SENDERS) as pool:
            for done, _ in enumerate(pool.map(self._visit, visits), start=1):
                if done % max(1, len(visits) // 15) == 0:
                    print(f"  {done}/{len(visits)} sent, {sum(self.sent.failed.values())} failed", flush=True)
        return self.sent

    def _visit(self, visit: Visit) -> None:
        time.sleep(max(0.0, self._begin + visit.at - time.monotonic()))
        try:
            self._ask_and_rate(visit)
        except (OSError, http.client.HTTPException) as problem:
            self._local.__dict__.clear()
            with self.sent.lock:
                self.sent.failed[str(problem)[:80] or type(problem).__name__] += 1

    def _ask_and_rate(self, visit: Visit) -> None:
        unique_id, target = visit.series
        headers, body = self._post(
            "predict", {self._workload.id_name: unique_id, "target": target, "horizon": _HORIZON}, visit
        )
        stars = rating(
            [week["median"] for week in body["weeks"]], self._actuals[visit.series][:_HORIZON], mood=visit.mood
        )
        if visit.rates:
            self._post("feedback", {"prediction_id": body["prediction_id"], "kind": "rating", "value": stars}, visit)
        who = f"{headers['X-Track']} {headers['X-Release']}"
        with self.sent.lock:
            self.sent.answers[who] += 1
            self.sent.seen_on[visit.user].add(headers["X-Track"])
            if visit.rates:
                self.sent.ratings[who].append(stars)

    def _post(self, what: str, body: dict[str, Any], visit: Visit) -> tuple[dict[str, str], dict[str, Any]]:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        headers = {"Content-Type": "application/json", "X-API-Key": self._key, "X-User-Id": visit.user}
        self._local.connection.request("POST", f"/api/{self._workload.name}/{what}", json.dumps(body), headers)
        answer = self._local.connection.getresponse()
        content = json.loads(answer.read())
        if answer.status >= 300:
            raise http.client.HTTPException(f"{what}: {answer.status} {content.get('title', '')}")
        return dict(answer.getheaders()), content


def _report(sent: Sent) -> None:
    total = max(1, sum(sent.answers.values()))
    for who, count in sorted(sent.answers.items()):
        stars = sent.ratings[who]
        mean = f"{np.mean(stars):.2f} of 5 in {len(stars)} ratings" if stars else "no ratings"
        print(f"{who:16} {count:6} forecasts ({count / total:5.1%}), {mean}")
    both = sum(len(tracks) > 1 for tracks in sent.seen_on.values())
    print(f"{len(sent.seen_on)} people, {both} of them saw both tracks; {sum(sent.failed.values())} requests failed")
    for reason, count in sent.failed.most_common(3):
        print(f"  {count} x {reason}")


def what_next(stage: str, *, seed: int) -> str:
    """Say what a person may do where nothing was decided: of few clients even a better candidate cannot always be told from its rival."""
    if stage not in _UNDECIDED:
        return ""
    return (
        f"nothing turned yet: `.venv/bin/ratchet traffic --seed {seed + 1}` brings other people,"
        " `.venv/bin/ratchet promote --why …` waits for nobody\n"
    )


def _look(stack: Stack, workload: str, dag_id: str, *, seed: int) -> None:
    """Have Airflow look at the experiment by both rules, and say what each decided.

    The workload's own policy waits for days of evidence; so that a newcomer sees a whole turn, the plain rule is asked once.
    """
    print("the newest scrape and the log settle …", flush=True)
    time.sleep(_SCRAPE_SECONDS)
    client, journal = first_turn.airflow(stack), PostgresJournal(stack.postgres.uri("ratchet"))
    if not journal.stage(workload):
        print("no experiment is running: nothing to decide (`ratchet train` makes a candidate)")
        return
    rules: tuple[tuple[str, dict[str, str]], ...] = (
        ("the policy in force", {}),
        ("the plain rule, asked for this one look (mode spec)", {"mode": "spec"}),
    )
    for rule, conf in rules:
        client.wait(dag_id, client.trigger(dag_id, conf), timeout=180)
        looks = [row for row in journal.looks(workload, limit=5) if row.actor == dag_id]
        if looks:
            newest = looks[0]
            print(
                f"{rule}, {newest.at:%H:%M:%S} UTC: {newest.decision.verdict.value}, because {newest.decision.reason}",
                flush=True,
            )
    print(what_next(journal.stage(workload), seed=seed), end="")
    print(f"what is live now, and every figure behind it: http://127.0.0.1:{stack.settings.dashboard_port}/experiment")
