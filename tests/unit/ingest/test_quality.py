"""What keeps gold where it is, what is only reported, and what Prometheus and people can read of it."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from urllib import error, request

import duckdb
import numpy as np
import pytest

from ratchet.contracts.errors import DataError
from ratchet.ingest import quality
from ratchet.ingest.quality_page import Intake, Report
from ratchet.observe import gold_reports

NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
HOUR = datetime(2026, 11, 16, tzinfo=UTC)
GOOD = """
    SELECT 'a/' || s AS unique_id, 't' AS target, DATE '2026-11-15' - 7 * w::INTEGER AS ds, (10 + hash(s * 100 + w) % 5)::DOUBLE AS y
    FROM range(60) AS s(s), range(60) AS w(w)
"""


def intake(**changed: object) -> Intake:
    values = {"records": 1000, "events": 900, "duplicates": 60, "rejected": 40, "new_records": 500, "new_rejected": 2}
    return Intake(**{**values, "reasons": {"not JSON": 30, 'a "quoted" one': 10}, **changed})


def examine(folder, sql: str = GOOD, *, synthetic: bool = False, **changed: object) -> Report:
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.sql(sql).write_parquet(str(folder / "series.parquet"))
    return quality.examine(
        folder,
        workload="w",
        targets=("t",),
        partition="20261116T00-abc",
        data_hour=HOUR,
        synthetic=synthetic,
        intake=intake(**changed),
        now=NOW,
    )


def failed(report: Report) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


def test_good_gold_moves(tmp_path):
    report = examine(tmp_path)
    assert (failed(report), report.moves) == (set(), True)
    assert {"psi_t", "ks_t", "freshness", "anomalies_iqr", "anomalies_robust_z"} <= {
        check.name for check in report.checks
    }


@pytest.mark.parametrize(
    ("sql", "changed", "name"),
    [
        pytest.param(GOOD.replace("::DOUBLE", "::INTEGER"), {}, "schema", id="another type"),
        pytest.param(GOOD.replace("(10 +", "nullif(10 +").replace("% 5)", "% 5, 12)"), {}, "nulls", id="holes"),
        pytest.param(GOOD.replace("(10 +", "(-10 +"), {}, "ranges", id="below zero"),
        pytest.param(GOOD.replace("'t'", "'u'"), {}, "targets", id="another target"),
        pytest.param(GOOD, {"events": 899}, "records_accounted_for", id="one record lost"),
        pytest.param(GOOD, {"new_rejected": 101}, "rejected_share", id="a format that changed"),
    ],
)
def test_a_failed_hard_check_keeps_gold_and_is_named(tmp_path, sql, changed, name):
    report = examine(tmp_path, sql, **changed)
    assert name in failed(report)
    with pytest.raises(DataError, match=f"w: gold stays as it was, .*{name}"):
        quality.require(report)


def test_a_world_that_changed_is_reported_and_gold_moves(tmp_path):
    shifted = GOOD.replace("(10 +", "(10 + CASE WHEN w < 4 THEN 40 ELSE 0 END +")
    report = examine(tmp_path, shifted)
    assert failed(report) >= {"psi_t", "ks_t"}
    assert report.moves


def test_weeks_that_were_not_seen_are_no_change_of_the_world(tmp_path):
    """The newest week three sevenths seen, the two before it not at all."""
    part = "CASE w WHEN 0 THEN 3.0 / 7 WHEN 1 THEN 0.2 WHEN 2 THEN 0.0 ELSE 1.0 END"
    partly = f"SELECT * REPLACE (floor(y * coverage) AS y) FROM ({GOOD.replace('FROM range', f', {part} AS coverage FROM range')})"
    blind = examine(tmp_path / "blind", partly.replace("SELECT *", "SELECT * EXCLUDE (coverage)"))
    assert failed(blind) == {"psi_t", "ks_t"}
    report = examine(tmp_path / "seen", partly)
    assert failed(report) == set()
    [odd] = [check.found for check in report.checks if check.name == "anomalies_robust_z"]
    assert odd == "0 of 60 series"


def test_old_data_is_reported_unless_it_is_synthetic(tmp_path):
    old = quality._freshness(HOUR - timedelta(days=3), NOW)
    assert (old.passed, old.hard) == (False, False)
    assert "freshness" not in {check.name for check in examine(tmp_path, synthetic=True).checks}


def test_ks_and_psi_are_what_textbooks_say():
    from scipy.stats import ks_2samp  # noqa: PLC0415  # comes with training; only this compares with it

    source = np.random.default_rng(1)
    one, other = source.normal(size=4000), source.normal(loc=0.08, size=900)
    expected = ks_2samp(one, other, method="asymp")
    found = quality.ks(one, other)
    assert found == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue, rel=0.05))
    assert quality.psi(one, one) == pytest.approx(0, abs=1e-9)
    assert quality.psi(one, one + 1) > 0.5


@pytest.fixture
def house(tmp_path):
    """A home with one partition, its report and a refused one, behind the endpoint."""
    root = tmp_path / "gold" / "w"
    quality.keep(examine(tmp_path / "one"), root)
    quality.keep(examine(tmp_path / "two", events=899), root)
    (root / "20261116T00-abc").mkdir()
    (root / "20261116T00-abc" / "manifest.json").write_text(json.dumps({"data_hour": HOUR.isoformat()}))
    (root / "newest.json").write_text(json.dumps({"partition": "20261116T00-abc"}))
    server = gold_reports.make_server(tmp_path, host="127.0.0.1", port=0, clock=lambda: NOW)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def get(address: str) -> str:
    with request.urlopen(address, timeout=5) as answer:
        return answer.read().decode()


def test_prometheus_reads_age_rejections_and_failures(house):
    lines = get(f"{house}/metrics").splitlines()
    assert 'ratchet_data_age_hours{workload="w"} 3.0' in lines
    assert 'ratchet_rejected_events_total{workload="w",reason="not JSON"} 30' in lines
    assert r'ratchet_rejected_events_total{workload="w",reason="a \"quoted\" one"} 10' in lines
    assert 'ratchet_quality_failures_total{workload="w",check="records_accounted_for"} 1' in lines
    assert 'ratchet_quality_failures_total{workload="w",check="nulls"} 0' in lines


def test_pages_say_what_was_found_and_nothing_else_is_served(house):
    assert "<h1>w: gold moved</h1>" in get(f"{house}/quality/w/20261116T00-abc")
    assert "<h1>w: gold stayed as it was</h1>" in get(f"{house}/quality/w/20261116T00-abc-refused")
    for path in ("/quality/w/none", "/quality/w/..%2f..%2fnewest", "/quality/../w/x"):
        with pytest.raises(error.HTTPError, match="404"):
            get(f"{house}{path}")


def test_a_page_follows_the_systems_colours_and_stacks_its_columns_on_a_phone(house):
    page = get(f"{house}/quality/w/20261116T00-abc")
    assert "color-scheme:light dark" in page
    assert ".checks td{display:block" in page
    assert '<table class="checks">' in page


def test_its_address_alone_lists_the_reports_the_newest_first(house):
    """`make status` names it, and whoever opened it read "no such report"."""
    listed = re.findall(r'href="([^"]*)"', get(f"{house}/"))
    assert sorted(listed) == ["quality/w/20261116T00-abc", "quality/w/20261116T00-abc-refused"]
    assert all("<h1>w: gold" in get(f"{house}/{link}") for link in listed)


def test_a_home_without_reports_says_that_there_are_none(tmp_path):
    assert "No gold has been built yet" in gold_reports.index(tmp_path)


@pytest.mark.parametrize(("bind", "host"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_a_link_to_a_report_is_one_that_a_browser_can_open(bind, host):
    assert gold_reports.address(bind, 9108, "w", "p") == f"http://{host}:9108/quality/w/p"
