"""Hour files from a web server that breaks off, moves, refuses and forgets, as they do."""

import gzip
import random
from datetime import UTC, datetime, timedelta

import pytest

from ratchet import workloads
from ratchet.contracts.errors import DataError, SourceError
from ratchet.contracts.source import Span
from ratchet.ingest import Pace, land, manifest
from ratchet.ingest.manifest import Manifest
from web import Asked, Reply, serve

DAY = datetime(2026, 1, 31, tzinfo=UTC)
CONTENT = gzip.compress(random.Random(1).randbytes(40_000), mtime=0)
NAME = "/2026-01-31-0.json.gz"


def source(
    address: str, first: str = "2026-01-31T00", last: str = "2026-01-31T00", now: datetime = DAY + timedelta(days=2)
):
    (found,) = workloads.find("github_activity").sources(address, span=Span.parse(first, last), clock=lambda: now)
    return found


def pace(waits: list[float] | None = None) -> Pace:
    return Pace(at_once=1, sleep=(waits if waits is not None else []).append, now=lambda: DAY + timedelta(days=2))


class Archive:
    """Serves the hour as a good server does; `breaks` holds after how many bytes each answer breaks off."""

    def __init__(self, breaks: list[int], **headers: str) -> None:
        self.breaks, self.content, self.headers = breaks, CONTENT, headers or {"ETag": '"one"'}

    def __call__(self, asked: Asked) -> Reply:
        if asked.path != NAME:
            return Reply(status=404)
        validator = next(iter(self.headers.values()))
        start = 0
        if "range" in asked.headers and asked.headers.get("if-range") == validator:
            start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.content):
            return Reply(status=416, headers={"Content-Range": f"bytes */{len(self.content)}"})
        body = self.content[start:]
        extra = {"Content-Range": f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"} if start else {}
        broken = self.breaks.pop(0) if self.breaks else None
        return Reply(status=206 if start else 200, body=body, headers={**self.headers, **extra}, broken_after=broken)


def landed(tmp_path) -> bytes:
    return (tmp_path / "github_archive" / "2026-01-31" / "0.json.gz").read_bytes()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"ETag": '"one"'}, id="ETag"),
        pytest.param({"Last-Modified": "Sat, 31 Jan 2026 01:05:00 GMT"}, id="time of change"),
    ],
)
def test_a_broken_download_goes_on_where_it_broke(tmp_path, headers):
    with serve(Archive([10_000, 5_000], **headers)) as web:
        report = land(source(web.address), bronze=tmp_path, pace=pace())
    assert (report.landed, landed(tmp_path)) == (1, CONTENT)
    assert [asked.headers.get("range") for asked in web.asked] == [None, "bytes=10000-", "bytes=15000-"]
    assert report.bytes == len(CONTENT)


def test_without_a_strong_validator_it_begins_anew(tmp_path):
    with serve(Archive([10_000], ETag='W/"weak"')) as web:
        land(source(web.address), bronze=tmp_path, pace=pace())
    assert landed(tmp_path) == CONTENT
    assert [asked.headers.get("range") for asked in web.asked] == [None, None]


def test_content_that_changed_in_between_is_read_whole(tmp_path):
    archive = Archive([10_000])

    def changing(asked: Asked) -> Reply:
        reply = archive(asked)
        archive.headers = {"ETag": '"two"'}
        archive.content = gzip.compress(b"something else", mtime=0)
        return reply

    with serve(changing) as web:
        land(source(web.address), bronze=tmp_path, pace=pace())
    assert landed(tmp_path) == archive.content


def test_a_download_that_was_complete_when_the_run_was_killed_is_not_read_again(tmp_path):
    arriving = tmp_path / "github_archive" / "2026-01-31" / ".0.json.gz.arriving"
    arriving.parent.mkdir(parents=True)
    arriving.write_bytes(CONTENT)
    arriving.with_name(f"{arriving.name}.version").write_text('"one"')
    with serve(Archive([])) as web:
        report = land(source(web.address), bronze=tmp_path, pace=pace())
    assert (report.landed, landed(tmp_path), len(web.asked)) == (1, CONTENT, 1)


def test_bytes_land_as_received_even_if_the_server_calls_gzip_an_encoding(tmp_path):
    with serve(Archive([], **{"ETag": '"one"', "Content-Encoding": "gzip"})) as web:
        land(source(web.address), bronze=tmp_path, pace=pace())
    assert landed(tmp_path) == CONTENT
    assert web.asked[0].headers["accept-encoding"] == "identity"


def test_holes_are_named_and_the_hours_around_them_land(tmp_path):
    def answer(asked: Asked) -> Reply:
        return Reply(status=404) if asked.path.endswith("-3.json.gz") else Reply(body=CONTENT)

    with serve(answer) as web:
        report = land(source(web.address, last="2026-01-31T05"), bronze=tmp_path, pace=Pace(now=lambda: DAY))
        again = land(source(web.address, last="2026-01-31T05"), bronze=tmp_path, pace=Pace(now=lambda: DAY))
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("missing", "2026-01-31 hour 3")]
    assert (report.landed, again.landed, len(web.asked)) == (5, 0, 6)


def test_a_server_error_is_tried_again_after_the_time_it_asks_for(tmp_path):
    replies, waits = [Reply(status=503, headers={"Retry-After": "9"}), Reply(status=500)], []
    with serve(lambda _: replies.pop(0) if replies else Reply(body=CONTENT)) as web:
        report = land(source(web.address), bronze=tmp_path, pace=pace(waits))
    assert (report.landed, waits) == (1, [9, 2])


@pytest.mark.parametrize(
    ("reply", "what", "words"),
    [
        pytest.param(Reply(status=403), "failed", "HTTP 403", id="forbidden"),
        pytest.param(Reply(body=b"<html>log in</html>"), "damaged", "damaged gzip", id="a page for people"),
        pytest.param(Reply(body=CONTENT[:-9]), "damaged", "truncated gzip", id="truncated at the source"),
    ],
)
def test_what_is_no_hour_is_said(tmp_path, reply, what, words):
    with serve(lambda _: reply) as web:
        report = land(source(web.address), bronze=tmp_path, pace=pace())
    assert [(trouble.what, words in trouble.reason) for trouble in report.troubles] == [(what, True)]
    assert len(web.asked) == 1


def test_nobody_there_is_said(tmp_path):
    with serve(lambda _: Reply()) as web:
        pass
    with pytest.raises(SourceError, match=r"is away: .*Connect"):
        land(source(web.address, last="2026-01-31T20"), bronze=tmp_path, pace=pace())


def test_only_hours_that_are_over_are_asked_for(tmp_path):
    now = DAY + timedelta(hours=5, minutes=4)
    offered = [piece.hour.hour for piece in source("http://x", last="", now=now).offers(Manifest(tmp_path))]
    later = [
        piece.hour.hour
        for piece in source("http://x", last="", now=now + timedelta(minutes=2)).offers(Manifest(tmp_path))
    ]
    assert (offered, later) == ([0, 1, 2, 3], [0, 1, 2, 3, 4])


def test_an_address_needs_a_first_hour(tmp_path):
    with pytest.raises(DataError, match="EVENTS_FROM"):
        list(source("http://x", first="", last="").offers(Manifest(tmp_path)))


def test_what_a_redirect_leads_to_is_read(tmp_path):
    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/old"):
            return Reply(status=302, headers={"Location": asked.path.removeprefix("/old")})
        return Reply(body=CONTENT)

    with serve(answer) as web:
        land(source(f"{web.address}/old/"), bronze=tmp_path, pace=pace())
    assert landed(tmp_path) == CONTENT
    assert [entry.bytes for entry in manifest.read(tmp_path / "github_archive")] == [len(CONTENT)]


def test_an_hour_that_is_always_out_of_range_stops_no_other(tmp_path):
    def answer(asked: Asked) -> Reply:
        return Reply(status=416) if asked.path == NAME else Reply(body=CONTENT)

    with serve(answer) as web:
        report = land(source(web.address, last="2026-01-31T01"), bronze=tmp_path, pace=pace())
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("failed", "2026-01-31 hour 0")]
    assert report.landed == 1
