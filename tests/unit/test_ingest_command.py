"""`ratchet ingest …` as a person meets it."""

import gzip
import io
from datetime import UTC, datetime

import pytest

from ratchet.__main__ import main
from ratchet.bars import Bar
from ratchet.contracts.errors import SourceError
from ratchet.ingest import Building, Progress
from ratchet.ingest_command import draw, draw_gold
from ratchet.loop import Loop
from ratchet.settings import Settings
from web import Asked, Reply, serve

HOUR = gzip.compress(b"", mtime=0)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and nothing of the caller's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_HOME", str(tmp_path / "home"))
    for name in ("EVENTS", "EVENTS_FROM", "EVENTS_TO", "BRONZE", "LAND_AT_ONCE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def run(capsys, *words: str) -> tuple[int, str, str]:
    code = main(["ingest", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_help_names_every_source_and_what_it_takes(capsys):
    with pytest.raises(SystemExit):
        main(["ingest", "--help"])
    told = capsys.readouterr().out
    for word in ("archive", "github", "csv", "sample", "status", "github_activity"):
        assert word in told
    with pytest.raises(SystemExit):
        main(["ingest", "archive", "--help"])
    assert "--from" in capsys.readouterr().out


def test_a_span_of_an_address_lands_with_its_holes_named_and_status_shows_them(capsys, home):
    def answer(asked: Asked) -> Reply:
        return Reply(status=404) if asked.path.endswith("-3.json.gz") else Reply(body=HOUR)

    with serve(answer) as web:
        words = ("archive", web.address, "--from", "2015-01-01T01", "--to", "2015-01-01T05", "--land-only")
        code, told, _ = run(capsys, *words)
        assert (code, told.splitlines()[0][:25]) == (0, "github_archive: 4 landed ")
        assert f"  missing: 2015-01-01 hour 3: {web.address}/2015-01-01-3.json.gz: HTTP 404" in told
        asked = len(web.asked)
        assert "0 landed" in run(capsys, *words)[1]
        assert len(web.asked) == asked + 1  # by hand, a hole is asked for whatever its turn
    (home / "warehouse" / "github_activity").mkdir(parents=True)
    (home / "warehouse" / "github_activity" / "hours.csv").write_text(
        "source,hour,records,events,duplicates,rejected\n"
        "github_archive,2015-01-01 01:00:00,9,7,1,1\ngithub_archive,2015-01-01 02:00:00,1200,1200,0,0\n"
    )
    code, told, _ = run(capsys, "status")
    assert code == 0
    assert told.splitlines()[0] == (
        f"github_archive: 4 files, {4 * len(HOUR)} B, 2015-01-01 01:00 to 2015-01-01 05:00, 1,207 events, 1 rejected"
    )
    assert told.splitlines()[1] == "  1 hours between are not there: 2015-01-01T03"
    assert told.splitlines()[2].startswith("  missing: 2015-01-01 hour 3: ")


def test_nothing_landed_is_said(capsys):
    assert "nothing has landed" in run(capsys, "status")[1]


def test_the_status_of_a_workload_that_there_is_not_names_those_that_there_are(capsys):
    assert run(capsys, "status", "nowhere") == (1, "", "ratchet: no workload `nowhere`; known: github_activity\n")


def test_all_troubles_of_a_source_are_shown_of_which_nothing_has_landed(capsys, tmp_path):
    for number in range(12):
        folder = tmp_path / "histories" / f"a__{number}"
        folder.mkdir(parents=True)
        (folder / "commits.csv").write_text("when\n2026-11-02T10:00:00Z\n")
    _, told, _ = run(capsys, "csv", str(tmp_path / "histories"))
    assert told.splitlines()[-1] == "  and 2 more: `ratchet ingest status`"
    status = run(capsys, "status")[1].splitlines()
    assert status[0] == "github_csv: 0 files, 0 B, nothing has landed"
    assert sum(line.startswith("  damaged: a/") for line in status) == 12


def test_what_landed_is_told_even_if_gold_cannot_be_built(capsys, tmp_path):
    (tmp_path / "hours").mkdir()
    (tmp_path / "hours" / "2015-01-01-0.json.gz").write_bytes(HOUR)
    code, told, problem = run(capsys, "archive", str(tmp_path / "hours"))
    assert code == 1
    assert "1 landed" in told
    assert problem.strip().splitlines()[-1].startswith("ratchet: github_activity: ")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param(("archive", "https://example.org"), "EVENTS_FROM=2026-01-01 or --from", id="no first hour"),
        pytest.param(("archive", "/no/such/folder"), "no such folder", id="no folder"),
        pytest.param(("github", "flask"), "write owner/name", id="no repository"),
        pytest.param(("archive", "x", "--from", "soon"), "`soon` is no hour", id="no hour"),
        pytest.param(("--from", "tomorrow"), "`tomorrow` is no hour", id="no hour of what EVENTS names"),
        pytest.param(("--from", "soon", "archive", "x"), "`soon` is no hour", id="before the source"),
        pytest.param(("--to", "2026-01-01", "csv", "x"), "leave --from and --to out", id="no hours"),
    ],
)
def test_a_mistake_is_one_clear_line(capsys, words, problem):
    code, _, told = run(capsys, *words, "--land-only")
    assert code == 1
    assert problem in told.splitlines()[-1]


@pytest.fixture
def one_away(monkeypatch, tmp_path) -> str:
    """Two sources, the first of which is away; a history in the other."""
    monkeypatch.setattr("ratchet.ingest.receive._FIRST_WAIT_SECONDS", 0.0)
    folder = tmp_path / "histories" / "a__b"
    folder.mkdir(parents=True)
    (folder / "commits.csv").write_text("sha,author_date\nx,2026-11-02T10:00:00Z\ny,2026-11-20T10:00:00Z\n")
    monkeypatch.setenv("EVENTS_FROM", "2026-11-21")
    monkeypatch.setenv("EVENTS_TO", "2026-11-21")
    return f"https://127.0.0.1:9; csv:{folder.parent}"


def test_a_source_that_is_away_stops_neither_the_others_nor_gold(capsys, monkeypatch, one_away):
    monkeypatch.setenv("EVENTS", one_away)
    code, told, problem = run(capsys)
    assert (code, [line[:11] for line in told.splitlines()]) == (1, ["github_csv:", "gold as of "])
    assert problem.splitlines()[-1].startswith("ratchet: github_archive is away: ")
    with pytest.raises(SourceError, match="github_archive is away"):  # a task that calls this fails, and says why
        Loop().land("github_activity")


def test_hours_of_a_backfill_are_cut_into_few_equal_parts(home):
    loop = Loop(Settings(_env_file=None, data_home=home))
    day = loop.plan_hours("2026-01-31", "2026-01-31")
    assert (len(day), day[0], day[-1]) == (
        24,
        {"first": "2026-01-31T00", "last": "2026-01-31T00"},
        {"first": "2026-01-31T23", "last": "2026-01-31T23"},
    )
    year = loop.plan_hours("2025-01-01", "2025-12-31")
    assert len(year) == 48
    assert (year[0]["first"], year[-1]["last"]) == ("2025-01-01T00", "2025-12-31T23")
    until_now = loop.plan_hours(f"{datetime.now(UTC):%Y-%m-%dT%H}", "")
    assert len(until_now) in {1, 2}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_drawn_on_a_terminal_only():
    times = iter(range(100))
    shown, hidden = Terminal(), io.StringIO()
    for stream in (shown, hidden):
        with Bar(stream, clock=lambda: next(times)) as bar:
            draw(bar, "archive", Progress(done=1, pieces=4, bytes=2_000_000))
            draw(bar, "archive", Progress(done=4, pieces=4, bytes=8_000_000))
            draw(bar, "api", Progress(done=2, pieces=0, bytes=100))
    assert hidden.getvalue() == ""
    lines = shown.getvalue().split("\r\x1b[K")
    assert lines[1] == "archive [██████··················] 1/4, 2.0 MB, 2.0 MB/s, 3 s left"
    assert "4/4, 8.0 MB, 4.0 MB/s, 0 s left" in lines[2]
    assert lines[3].startswith("api: 2 landed, 100 B")


def test_the_bar_of_gold_tells_what_is_read_and_when_dbt_is_at_it():
    times, shown = iter(range(100)), Terminal()
    with Bar(shown, clock=lambda: next(times)) as bar:
        for files, is_modelled in ((0, False), (1, False), (4, True)):
            told = Building(
                workload="x",
                files=files,
                of_files=4,
                bytes=files * 1_000_000,
                of_bytes=4_000_000,
                is_modelled=is_modelled,
            )
            draw_gold(bar, told)
    assert shown.getvalue().split("\r\x1b[K")[1:] == [
        "gold [························] 0/4, 0 B of 4.0 MB",
        "gold [██████··················] 1/4, 1.0 MB of 4.0 MB, 6 s left",
        "gold [████████████████████████] 4/4, dbt takes in what is new\n",
    ]
