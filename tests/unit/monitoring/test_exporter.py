"""What the exporter makes of its neighbours, and of their absence."""

import http.server
import json
import socket
import threading
import time

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from monitoring.exporter import airflow, experiments, realised, router, stages, textfiles
from monitoring.exporter.parts import Parts
from ratchet.serve.split import FlagFileSplit
from ratchet.stack.ports import free_port


@pytest.fixture
def serve():
    """Serves one text at every path; its address."""
    servers = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = answer(self.path, self.headers)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def samples(part):
    """Every sample as {(name, labels…): value}."""
    return {(one.name, *one.labels.values()): one.value for family in part.collect() for one in family.samples}


class Away:
    def collect(self):
        yield GaugeMetricFamily("half", "said before it failed", value=1)
        raise OSError("gone")


class There:
    def collect(self):
        yield GaugeMetricFamily("there", "it is", value=7)


def test_a_neighbour_that_is_away_costs_its_own_figures_only(caplog):
    parts = Parts({"away": Away(), "there": There()})
    for _ in range(3):
        found = samples(parts)
    assert (found["ratchet_neighbour_up", "away"], found["ratchet_neighbour_up", "there"]) == (0, 1)
    assert found["there",] == 7
    assert ("half",) not in found
    assert len(caplog.records) == 1


class Companion:
    """A neighbour that answers only once another one is asked too."""

    def __init__(self, meeting):
        self._meeting = meeting

    def collect(self):
        self._meeting.wait()
        return There().collect()


def test_no_neighbour_waits_for_another_that_hangs():
    meeting = threading.Barrier(2, timeout=10)
    found = samples(Parts({"one": Companion(meeting), "other": Companion(meeting)}))
    assert (found["ratchet_neighbour_up", "one"], found["ratchet_neighbour_up", "other"]) == (1, 1)


class Hanging:
    """A neighbour that says nothing until it is let; `asked` says how often somebody asked it."""

    def __init__(self):
        self.let, self.asked = threading.Event(), 0

    def collect(self):
        self.asked += 1
        assert self.let.wait(10)
        return There().collect()


def test_a_neighbour_that_hangs_costs_its_own_figures_only_and_is_not_asked_again_meanwhile(monkeypatch, caplog):
    monkeypatch.setattr("monitoring.exporter.parts.WAIT_SECONDS", 0.2)
    hanging = Hanging()
    parts = Parts({"hangs": hanging, "there": There()})
    begin = time.monotonic()
    for _ in range(3):
        found = samples(parts)
        assert (found["ratchet_neighbour_up", "hangs"], found["ratchet_neighbour_up", "there"]) == (0, 1)
        assert found["there",] == 7
    assert (hanging.asked, len(caplog.records)) == (1, 1)
    assert time.monotonic() - begin < 5
    hanging.let.set()
    end = time.monotonic() + 5
    while samples(parts)["ratchet_neighbour_up", "hangs"] == 0:
        assert time.monotonic() < end


PAGE = "Active connections: 3 \nserver accepts handled requests\n 10 9 42 \nReading: 0 Writing: 1 Waiting: 2 \n"


def test_nginx_status_page(serve):
    found = samples(router.Router(serve(lambda *_: (200, PAGE))))
    assert found["ratchet_router_requests_total",] == 42
    assert found["ratchet_router_connections_dropped_total",] == 1
    assert found["ratchet_router_connections", "waiting"] == 2


def test_a_page_that_is_no_status_page_is_an_error(serve):
    with pytest.raises(ValueError, match="no status page"):
        samples(router.Router(serve(lambda *_: (200, "<html>"))))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "airflow.dagrun:",
        "airflow.x:nan|ms",
        "airflow.x:abc|ms",
        "other.dagrun.duration.success:1|ms",
        "airflow.x,tag:1|ms",
        ":|",
    ],
)
def test_statsd_that_makes_no_sense_is_dropped(line):
    assert airflow.parse(line) is None


def test_runs_and_tasks_come_over_udp():
    registry, port = CollectorRegistry(), free_port()
    listener = airflow.Listener(measures=airflow.Measures(registry, clock=lambda: 99.0), bind="127.0.0.1", port=port)
    threading.Thread(target=listener.run, daemon=True).start()
    lines = [
        "airflow.ti.finish,dag_id=train,task_id=fit,state=success:-1|c",
        "airflow.dagrun.duration.failed,dag_id=train,run_type=manual:1500.0|ms",
        "airflow.task.duration,dag_id=train,task_id=fit:1200|ms\nairflow.scheduler_heartbeat:1|c",
        "airflow.executor.open_slots:4|g",
        "nonsense",
    ]
    want = ("airflow_dag_run_seconds_sum", {"dag_id": "train", "state": "failed"})
    end = time.monotonic() + 5
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while registry.get_sample_value(*want) is None and time.monotonic() < end:
            for line in lines:
                sender.sendto(line.encode(), ("127.0.0.1", port))
            time.sleep(0.1)
    assert registry.get_sample_value(*want) % 1.5 == 0
    last = ("airflow_dag_last_run_timestamp_seconds", {"dag_id": "train", "state": "failed"})
    assert registry.get_sample_value(*last) == 99.0
    assert registry.get_sample_value("airflow_executor_tasks", {"state": "open"}) == 4


def said(at, verdict, **scores):
    return {"at": at, "verdict": verdict, "reason": "r", "scores": scores, "decided_at": at, "acted_at": None}


def test_the_loop_from_its_api(serve, tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"predict": "p", "operate": "o"}))
    verdicts = [said("2026-11-21T10:00:00+00:00", "hold", ratio=1.2, note="x", odd=float("nan"))]
    row = {
        "experiment_id": 4,
        "started_at": "2026-11-21T09:00:00+00:00",
        "ended_at": None,
        "verdict": None,
        "verdicts": verdicts,
    }

    def answer(path, headers):
        assert path.startswith("/api/parcels/experiments")
        assert headers["X-API-Key"] == "o"
        return 200, json.dumps({"experiments": [row]})

    part = experiments.Experiments(serve(answer), tmp_path / "keys.json", ("parcels",))
    found = samples(part)
    assert found["ratchet_experiment_state", "parcels", "trial"] == 1
    assert found["ratchet_evidence", "parcels", "ratio"] == 1.2
    assert not {name for name in found if name[-1] in ("note", "odd")}
    verdicts.insert(0, said("2026-11-21T11:00:00+00:00", "hold"))
    row |= {"stage": "canary"}
    found = samples(part)
    assert found["ratchet_verdicts_total", "parcels", "hold"] == 1, "the first one was given before anybody counted"
    others = ("promote", "rollback", "extend", "suspend", "inconclusive", "revert")
    assert [found["ratchet_verdicts_total", "parcels", other] for other in others] == [0] * 6
    assert found["ratchet_experiment_state", "parcels", "canary"] == 1


def test_before_the_first_key_there_is_nobody_to_ask(tmp_path):
    assert samples(experiments.Experiments("http://127.0.0.1:1", tmp_path / "none.json", ("parcels",))) == {}


def test_what_stages_left_at_rest(tmp_path):
    bronze, gold = tmp_path / "bronze/hours", tmp_path / "gold/parcels"
    bronze.mkdir(parents=True)
    (bronze / "manifest.jsonl").write_text('{"bytes": 5}\n{"bytes": 7}\n{"byt')
    (gold / "p1").mkdir(parents=True)
    (gold / "newest.json").write_text('{"partition": "p1"}')
    (gold / "p1/manifest.json").write_text('{"series": 3, "rows": 30, "data_hour": "2026-11-02T05:00:00+00:00"}')
    FlagFileSplit(tmp_path / "router/weights").set_share(20)
    found = samples(stages.Stages(tmp_path, ("parcels", "letters")))
    assert found["ratchet_landed_bytes_total", "hours"] == 12
    assert found["ratchet_gold_series", "parcels"] == 3
    assert found["ratchet_candidate_share",] == 0.2
    assert ("ratchet_gold_series", "letters") not in found


def test_files_that_stages_leave_are_merged_by_metric(tmp_path):
    for name, value in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.prom").write_text(f'# TYPE left_total counter\nleft_total{{of="{name}"}} {value}\n')
    (tmp_path / "c.prom.draft").write_text("half")
    found = samples(textfiles.TextFiles(tmp_path))
    assert {key: value for key, value in found.items() if key[0] == "left_total"} == {
        ("left_total", "a"): 1,
        ("left_total", "b"): 2,
    }


def test_a_file_that_nobody_can_read_costs_its_own_figures_and_is_named(tmp_path, caplog):
    (tmp_path / "whole.prom").write_text("left_total 1\n")
    (tmp_path / "spoilt.prom").write_bytes(b"left_total{ \xff\n")
    (tmp_path / "gone.prom").symlink_to(tmp_path / "nowhere")
    files = textfiles.TextFiles(tmp_path)
    for _ in range(2):
        found = samples(files)
    assert found["left_total",] == 1
    assert found["ratchet_textfile_readable", "spoilt.prom"] == 0
    assert found["ratchet_textfile_readable", "whole.prom"] == 1
    assert sum("spoilt.prom cannot be read" in line for line in caplog.messages) == 1
    (tmp_path / "spoilt.prom").write_text("left_total 2\n")
    assert samples(files)["ratchet_textfile_readable", "spoilt.prom"] == 1


def test_realised_errors_are_scaled_and_bounds_counted_week_by_week():
    week = {"week": "2026-11-08", "median": 12.0, "lo_80": 11.0, "hi_80": 20.0, "lo_95": 5.0, "hi_95": 30.0}
    rows = [("BO1", "a", "sent", [week, {**week, "week": "2026-11-15"}]), ("BO1", "unknown", "sent", [week])]
    found = realised.measure(rows, {("a", "sent"): {"2026-11-08": 10.0}}, {("a", "sent"): 4.0})
    assert {key: (mean.total, mean.count) for key, mean in found.items()} == {
        ("BO1", "sent", "error"): (0.5, 1),
        ("BO1", "sent", "80"): (0, 1),
        ("BO1", "sent", "95"): (1, 1),
    }


class Slow(realised.Realised):
    """Realised errors of a database that answers when it is let; `looks` says how often it was asked."""

    def __init__(self, home):
        super().__init__("nowhere", home, ("w",))
        self.let, self.looks, self.error = threading.Event(), 0, None

    def _look(self):
        self.looks += 1
        assert self.let.wait(10)
        if self.error:
            raise self.error
        yield GaugeMetricFamily("found", "something", value=1)


@pytest.fixture
def slow(tmp_path, monkeypatch):
    monkeypatch.setattr(realised, "WAIT_SECONDS", 0.2)
    found = Slow(tmp_path)
    yield found
    found.let.set()


def test_a_slow_look_at_realised_errors_holds_no_scrape_up_and_is_told_by_a_later_one(slow):
    begin = time.monotonic()
    for _ in range(3):
        assert samples(slow) == {}
    assert time.monotonic() - begin < 5
    slow.let.set()
    assert samples(slow) == {("found",): 1}
    assert (samples(slow), slow.looks) == ({("found",): 1}, 1)


def test_a_look_at_realised_errors_that_failed_is_not_repeated_at_each_scrape(slow):
    slow.error = OSError("statement timeout")
    slow.let.set()
    for _ in range(3):
        with pytest.raises(OSError, match="statement timeout"):
            samples(slow)
    assert slow.looks == 1
    slow.error = None
    slow._next = time.monotonic()
    assert samples(slow) == {("found",): 1}
