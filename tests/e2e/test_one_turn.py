"""The loop turns once, for real: every part runs, and a better candidate takes over without a failed request."""

import json
import re
import signal
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from urllib.request import Request, urlopen

import psutil
import pytest

from composed import FOLDER
from people import Person, SteadyLoad
from ratchet.stack import first_turn, marks
from ratchet.stack.health import answers, wait_for, wait_for_service
from ratchet.stack.supervised import Supervisor

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

SCRAPES_SECONDS = 11

embedded = pytest.mark.skipif(
    bool(FOLDER), reason="about the embedded stack's supervisor; tests/e2e/test_composed.py is about containers"
)


@pytest.fixture
def port(house):
    return house.stack.settings.router_port


@pytest.fixture
def key(house):
    return house.keys["predict"]


@embedded
def test_up_shows_every_part_and_no_step_is_silent_for_long(house):
    for service in house.stack.services():
        assert re.search(rf"^{service.name} +running", house.said, re.MULTILINE), house.said
    times = [float(found) for found in re.findall(r"^ *([\d.]+) s  ", house.said, re.MULTILINE)]
    assert max(after - before for before, after in pairwise(times)) < 10


@embedded
def test_the_curl_that_up_prints_works_when_pasted(house, shell):
    line = house.said[house.said.index("curl -s") :].split("\n\n")[0]
    answer = json.loads(shell(line))
    assert (answer["release"], answer["track"], answer["synthetic"]) in {
        ("BO1", "production", True),
        ("CO1", "candidate", True),
    }
    assert [week["lo_95"] <= week["median"] <= week["hi_95"] for week in answer["weeks"]] == [True] * 4


@embedded
def test_everything_listens_on_this_machine_alone(house):
    ours = {process.pid for process in marks.processes(str(house.stack.home.folder))}
    found = [one for one in psutil.net_connections("tcp") if one.pid in ours and one.status == psutil.CONN_LISTEN]
    listening = {one.laddr.ip for one in found}
    assert listening == {"127.0.0.1"}


@embedded
def test_every_address_in_the_table_answers(house):
    for service in house.stack.services():
        assert service.health is None or answers(service.health), service.name


@embedded
def test_up_while_it_runs_says_so_and_changes_nothing(house):
    before = {process.name: process.pid for process in Supervisor(house.stack.home).states()}
    again = house.ratchet("up")
    assert (again.returncode, "runs already" in again.stdout) == (0, True)
    assert {process.name: process.pid for process in Supervisor(house.stack.home).states()} == before


def test_a_thousand_users_are_split_80_to_20_and_each_stays_where_they_are(port, key):
    tracks = {}
    for number in range(1000):
        person = Person(port, key, f"user-{number}")
        answers_to_one = {person.ask()[1]["X-Track"] for _ in range(2)}
        person.leave()
        assert len(answers_to_one) == 1, person
        tracks[person.user] = answers_to_one.pop()
    share = Counter(tracks.values())["candidate"]
    assert 120 <= share <= 280  # 200 expected; six standard deviations of a binomial are 76


def test_a_client_cannot_choose_its_track_or_pretend_to_be_another(port, key):
    person = Person(port, key, "user-1")
    wanted = person.ask()[1]["X-Track"]
    person._connection.request(
        "POST",
        "/api/github_activity/predict",
        json.dumps({"repository": "sample/busy-framework", "target": "commits", "horizon": 1}),
        {
            "X-API-Key": key,
            "X-User-Id": "user-1",
            "X-Track": "candidate",
            "X-Assigned-Track": "candidate",
            "X-Client-Key": "other",
        },
    )
    answer = person._connection.getresponse()
    answer.read()
    assert answer.headers["X-Track"] == wanted
    person.leave()


@pytest.mark.parametrize("track", ["production", "candidate"])
def test_each_track_shows_the_data_behind_its_forecasts(house, port, track):
    headers = {"X-API-Key": house.keys["operate"], "X-Track": track}

    def told(what):
        with urlopen(
            Request(f"http://127.0.0.1:{port}/api/github_activity/{what}", headers=headers), timeout=20
        ) as answer:
            return answer.headers["X-Track"], json.load(answer)

    served, detail = told("series/detail?unique_id=sample/busy-framework&target=commits&weeks=5")
    assert (served, len(detail["history"])) == (track, 5)
    assert "weekly_activity" in [table["name"] for table in told("tables")[1]["tables"]]


def test_the_routers_metrics_are_not_for_the_public(house):
    assert not answers(f"{house.router}/metrics")


def test_a_better_candidate_is_promoted_by_the_dag_with_no_failed_request(house, port, key):
    client = first_turn.airflow(house.stack)
    with SteadyLoad(port, key) as load:
        for number in range(400):
            person = Person(port, key, f"rater-{number}")
            status, headers, forecast = person.ask()
            assert status == 200
            stars = 5 if headers["X-Track"] == "candidate" else 3
            said = person.post(
                "feedback", {"prediction_id": forecast["prediction_id"], "kind": "rating", "value": stars}
            )
            assert said[0] == 202, said
            person.leave()
        time.sleep(SCRAPES_SECONDS)
        client.wait("evaluate_ab", client.trigger("evaluate_ab"), timeout=120)
        wait_for("BO2 in production", lambda: "BO2" in load.releases, timeout=10, look="the router")
        wait_for("every worker to serve it", lambda: house.share() == 0, timeout=60, look="make logs S=guard")
        time.sleep(3)
    assert load.failed == []
    assert load.asked > 200
    person = Person(port, key, "anyone")
    assert {person.ask()[1]["X-Release"] for _ in range(20)} == {"BO2"}
    person.leave()


def test_the_verdict_and_its_reason_were_written_down(postgres_rows):
    rows = postgres_rows(
        "SELECT verdict, reason, stage, acts.at IS NOT NULL FROM looks LEFT JOIN acts USING (look_id) ORDER BY looks.at DESC LIMIT 2"
    )
    assert [row[2:] for row in rows] == [("done", True), ("promoting", True)]
    assert rows[1][0] == "promote"
    assert "above 1.05" in rows[1][1]


def test_every_answered_forecast_is_in_the_log_once(port, key, postgres_rows):
    people = [Person(port, key, f"logged-{number}") for number in range(50)]
    ids = [person.ask()[2]["prediction_id"] for person in people for _ in range(4)]
    for person in people:
        person.leave()

    def logged() -> int:
        return postgres_rows(
            "SELECT count(*), count(DISTINCT prediction_id) FROM forecasts WHERE prediction_id = ANY(%s)", (ids,)
        )[0]

    wait_for("the log", lambda: logged() == (200, 200), timeout=20, look="make logs S=inference-production")


def orphans(house, name):
    """Processes of a service that do not descend from the one that supervisor knows."""
    states = Supervisor(house.stack.home).states()
    known = psutil.Process(next(process.pid for process in states if process.name == name))
    family = {known.pid, *(child.pid for child in known.children(recursive=True))}
    return [found for found in marks.processes(str(house.stack.home.folder), service=name) if found.pid not in family]


@embedded
@pytest.mark.parametrize(
    "name",
    ["inference-candidate", "inference-production", "router", "prometheus", "mlflow", "postgres", "airflow-scheduler"],
)
def test_a_killed_process_comes_back_and_the_loop_goes_on(house, key, name):
    supervisor = Supervisor(house.stack.home)

    killed: list[int] = []

    def kill() -> bool:
        """Not where it is ending or starting by itself, as Airflow does whose database was killed a moment ago."""
        found = next(process for process in supervisor.states() if process.name == name)
        if found.state == "RUNNING":
            with suppress(psutil.NoSuchProcess):
                psutil.Process(found.pid).send_signal(signal.SIGKILL)
                killed.append(found.pid)
        return bool(killed)

    wait_for(name, kill, timeout=60, look=f"make logs S={name}")

    def is_back() -> bool:
        found = next(process for process in supervisor.states() if process.name == name)
        return found.state == "RUNNING" and found.pid not in killed

    wait_for(name, is_back, timeout=40, look=f"make logs S={name}")
    service = next(service for service in house.stack.services() if service.name == name)
    wait_for_service(service, timeout=60)
    wait_for("orphans to go", lambda: orphans(house, name) == [], timeout=15, look="the processes")
    assert is_back(), supervisor.states()
    wait_for(
        "a forecast", lambda: first_turn.forecast(house.stack, key) is not None, timeout=30, look=f"make logs S={name}"
    )


@embedded
def test_status_restart_and_logs(house):
    assert house.ratchet("restart", "prometheus").stdout == "prometheus was restarted\n"
    wait_for("all of it", lambda: house.ratchet("status").returncode == 0, timeout=30, look="make status")
    unknown = house.ratchet("restart", "nothing-of-ours")
    assert (unknown.returncode, "with one of: " in unknown.stderr) == (1, True)
    assert "there is no log of nothing-of-ours" in house.ratchet("logs", "nothing-of-ours").stderr


@embedded
def test_down_leaves_nothing_and_a_second_up_is_quick(house, key):
    assert house.ratchet("down").returncode == 0
    assert Supervisor(house.stack.home).leftovers() == []
    assert house.ratchet("status").returncode == 3
    del house.environment["POLICY"]
    again = house.ratchet("up", timeout=200)
    assert again.returncode == 0, again.stdout + again.stderr
    assert first_turn.forecast(house.stack, key)["release"] == "BO2"
    assert "ingest_github" not in again.stdout


@embedded
def test_by_the_evidence_policy_a_candidate_meets_few_clients_and_is_off_within_minutes_once_it_fails(
    house, port, key, postgres_rows
):
    """Since it came up again, the stack judges by the workload's own policy."""
    trained = house.ratchet("train", "--recipe", "ets", "--reason", "a third one", timeout=200)
    assert trained.returncode == 0, trained.stderr
    wait_for("a warm candidate", lambda: house.share() == 5, timeout=90, look="make logs S=guard")
    supervisor = Supervisor(house.stack.home)
    supervisor.stop("inference-candidate")
    people, end = 0, time.monotonic() + 150
    while house.share() and time.monotonic() < end:
        person = Person(port, key, f"unlucky-{people}")
        assert person.ask()[0] == 200, "who is on a dead track is answered by the other one"
        person.leave()
        people += 1
        time.sleep(0.02)
    assert house.share() == 0, people
    supervisor.start("inference-candidate")
    stages = [stage for (stage,) in postgres_rows("SELECT stage FROM looks ORDER BY at DESC LIMIT 3")]
    assert stages == ["rolled_back", "canary", "warmup"]
    replayed = house.ratchet("policy", "replay")
    assert (replayed.returncode, replayed.stdout.count("every byte is reproduced")) == (0, 2), replayed.stdout
