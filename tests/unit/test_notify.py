"""Messages about verdicts, to a real HTTP server on this machine."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from ratchet import notify
from ratchet.contracts.policy import Decision, Verdict
from ratchet.serve.notified import Notified
from ratchet.settings import Settings

AT = datetime(2026, 11, 2, 5, tzinfo=UTC)
SCORES = {"log_better": 4.213, "requests_production": 2950.0, "requests_candidate": 730.0, "raters_candidate": 52.0}


class Receiver:
    """A webhook: answers `status` after `seconds`, and keeps what it got."""

    def __init__(self):
        self.status, self.seconds, self.got = 200, 0.0, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(receiver.seconds)
                if receiver.status == 200:
                    receiver.got.append(body)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"json://someone:hunter2@127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def tell(tmp_path, receiver, monkeypatch):
    """Announces verdicts: `tell(row, …, urls=…)`."""
    monkeypatch.setattr(notify, "PAUSE_SECONDS", 0.01)

    def tell(*rows, urls=None, now=AT, **settings):
        known = Settings(
            _env_file=None,
            data_home=tmp_path,
            notify_urls=SecretStr(receiver.url if urls is None else urls),
            **settings,
        )
        return notify.announce(known, "parcels", rows, dag_id="evaluate_parcels", now=now)

    return tell


def row(verdict=Verdict.PROMOTE, number=7, scores=SCORES):
    decision = Decision(verdict=verdict, reason="ratings are better: ln E+ 4.21 at or above 3.69", scores=scores)
    return notify.News(key=number, experiment_id=3, decision=decision)


def test_a_verdict_arrives_with_its_evidence_in_three_lines_and_a_link(tell, receiver):
    assert tell(row()) == 1
    [message] = receiver.got
    assert message["title"] == "parcels: promote in experiment 3"
    assert message["message"].splitlines() == [
        "ratings are better: ln E+ 4.21 at or above 3.69",
        "traffic: requests production 2,950, requests candidate 730, raters candidate 52",
        "figures: log better 4.213",
        "http://127.0.0.1:8080/dags/evaluate_parcels",
    ]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_but_hold_and_extend_is_told(tell, receiver, verdict):
    tell(row(verdict))
    assert len(receiver.got) == (verdict not in (Verdict.HOLD, Verdict.EXTEND))


def test_what_nobody_measured_is_said_to_be_so(tell, receiver):
    tell(row(scores={}))
    assert "traffic: none measured\nfigures: none measured" in receiver.got[0]["message"]


def test_links_go_where_people_reach_airflow(tell, receiver):
    tell(row(), public_url="https://ratchet.example.org/")
    assert receiver.got[0]["message"].endswith("https://ratchet.example.org/dags/evaluate_parcels")


def test_nobody_is_told_twice_however_often_acting_is_repeated(tell, receiver):
    assert [tell(row()), tell(row()), tell(row(number=8))] == [1, 0, 1]
    assert len(receiver.got) == 2


def test_without_addresses_nothing_happens(tell, tmp_path):
    assert tell(row(), urls="") == 0
    assert not (tmp_path / "notify").exists()


def test_a_receiver_that_fails_is_tried_again_and_told_later_once(tell, receiver, tmp_path):
    receiver.status = 500
    assert tell(row()) == 0
    receiver.status = 200
    assert tell() == 1
    assert tell() == 0
    assert len(receiver.got) == 1
    assert json.loads((tmp_path / "notify/counts.json").read_text()) == {"sent": 1, "failed": 1}
    [metric] = Notified(home=tmp_path).collect()
    assert {sample.labels["outcome"]: sample.value for sample in metric.samples} == {"sent": 1.0, "failed": 1.0}


def test_before_anybody_was_told_there_are_figures_that_can_rise(tmp_path):
    [metric] = Notified(home=tmp_path).collect()
    assert {sample.labels["outcome"]: sample.value for sample in metric.samples} == {"sent": 0.0, "failed": 0.0}


def test_one_address_that_fails_keeps_nobody_else_waiting_and_nobody_is_told_twice(tell, receiver):
    other = Receiver()
    other.status = 503
    both = f"{other.url} {receiver.url}"
    assert tell(row(), urls=both) == 1
    other.status = 200
    assert tell(urls=both) == 1
    assert (len(receiver.got), len(other.got)) == (1, 1)
    other.server.shutdown()
    other.server.server_close()


def test_a_receiver_that_hangs_takes_a_bounded_time(tell, receiver, monkeypatch):
    monkeypatch.setattr(notify, "TRY_SECONDS", 0.3)
    monkeypatch.setattr(notify, "ROUND_SECONDS", 0.8)
    receiver.seconds = 3.0
    begin = time.monotonic()
    assert tell(*(row(number=number) for number in range(5))) == 0
    assert time.monotonic() - begin < 2.5


def test_after_a_day_a_message_is_given_up(tell, receiver, tmp_path):
    receiver.status = 500
    tell(row())
    tell(now=AT + timedelta(hours=25))
    assert list((tmp_path / "notify").glob("parcels-*.json")) == []


@pytest.mark.parametrize("urls", ["nonsense", "nosuch://x", "json://127.0.0.1:1/closed", "://"])
def test_no_address_whatever_it_is_fails_a_verdict(tell, urls):
    assert tell(row(), urls=urls) == 0


def test_a_full_disk_fails_no_verdict(tell, monkeypatch, caplog):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(notify, "write_whole", full)
    assert tell(row()) == 0
    assert "the verdict stands" in caplog.text


def test_a_damaged_outbox_fails_no_verdict(tell, tmp_path):
    (tmp_path / "notify").mkdir()
    (tmp_path / "notify/parcels-1.json").write_text("{")
    assert tell(row()) == 1
    assert not (tmp_path / "notify/parcels-1.json").exists()


def test_no_password_is_logged_or_kept(tell, receiver, tmp_path, caplog):
    caplog.set_level(0)
    receiver.status = 500
    tell(row())
    kept = "".join(path.read_text() for path in (tmp_path / "notify").iterdir())
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("ratchet"))
    assert "hunter2" not in kept + ours
    assert "json-" in ours


def test_who_hangs_does_not_hold_back_what_others_wait_for(tell, receiver, monkeypatch):
    monkeypatch.setattr(notify, "TRY_SECONDS", 0.4)
    monkeypatch.setattr(notify, "ROUND_SECONDS", 2.0)
    hanging = Receiver()
    hanging.seconds = 3.0
    rows = [row(number=number) for number in range(1, 6)]
    assert tell(*rows, urls=f"{hanging.url} {receiver.url}") == 5
    assert len(receiver.got) == 5
    hanging.server.shutdown()
    hanging.server.server_close()


def test_a_message_to_an_address_that_is_gone_counts_as_failed(tell, receiver, tmp_path):
    receiver.status = 500
    tell(row())
    tell(urls="json://127.0.0.1:1/another")
    assert json.loads((tmp_path / "notify/counts.json").read_text()) == {"sent": 0, "failed": 2}
    assert not list((tmp_path / "notify").glob("*-*.json"))
