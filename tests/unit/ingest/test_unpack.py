"""Files as they come: every record is told apart, every hole is named, nothing is dropped."""

import gzip
import json
from pathlib import Path

import pytest

from ratchet.ingest.warehouse import unpack
from ratchet.ingest.warehouse.unpack import Unreadable, records

ONE = b'{"id":"1","text":"a}{\\"b"}'
TWO = b'{"id":"2","nested":{"x":[1,{"y":"}{"}]}}'


def found(folder: Path, content: bytes, name: str = "0.json.gz") -> list:
    path = folder / name
    path.write_bytes(content)
    return [found.reason if isinstance(found, Unreadable) else found for found in records(path)]


def test_blank_lines_cost_next_to_nothing(tmp_path):
    """A hundred million of them are a hundred kilobytes of gzip."""
    (tmp_path / "0.json.gz").write_bytes(packed(b"", b"", ONE, b""))
    looked_at: list[bytes] = []
    assert list(records(tmp_path / "0.json.gz", looked_at.append)) == [json.loads(ONE)]
    assert looked_at == [ONE]


def packed(*lines: bytes) -> bytes:
    return gzip.compress(b"\n".join(lines), mtime=0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(packed(ONE, TWO, b""), [json.loads(ONE), json.loads(TWO)], id="a line each"),
        pytest.param(packed(ONE, b"", b"  ", TWO), [json.loads(ONE), json.loads(TWO)], id="blank lines are nothing"),
        pytest.param(packed(ONE + TWO + ONE), [json.loads(ONE), json.loads(TWO), json.loads(ONE)], id="no newline"),
        pytest.param(packed(ONE + b" \r" + TWO), [json.loads(ONE), json.loads(TWO)], id="blanks between"),
        pytest.param(
            packed(ONE + b'{"id": nonsense}' + TWO),
            [json.loads(ONE), "not JSON", json.loads(TWO)],
            id="a bad one between",
        ),
        pytest.param(packed(ONE + TWO[:-3]), [json.loads(ONE), "not JSON"], id="the last one torn"),
        pytest.param(packed(ONE, b"") + packed(TWO), [json.loads(ONE), json.loads(TWO)], id="several members"),
        pytest.param(
            packed(b"\xef\xbb\xbf" + ONE, b"\xef\xbb\xbf" + ONE + TWO, b"\xef\xbb\xbf"),
            [json.loads(ONE), json.loads(ONE), json.loads(TWO)],
            id="a byte order mark, as of files that were put one behind the other",
        ),
        pytest.param(b"", ["empty file"], id="empty file"),
        pytest.param(packed(b""), [], id="an hour without events"),
        pytest.param(b"<html>", ["damaged gzip"], id="no gzip at all"),
        pytest.param(packed(b"[1]", b"null", b"3"), ["not an object"] * 3, id="no objects"),
        pytest.param(packed(b'{"a":"\xff"}', b'{"a":"\x00"}'), ["not UTF-8", "NUL byte"], id="bytes that are no text"),
        pytest.param(
            packed(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", ONE), ["nested too deeply", json.loads(ONE)], id="deep"
        ),
        pytest.param(
            packed(b'{"a":-1E400,"b":"1E400 \\" 1e400"}', b'{"a":' + b"9" * 400 + b"}", b'{"a":01E400}', b'{1E400:"'),
            [{"a": 1e308, "b": '1E400 " 1e400'}, {"a": 1e308}, "not JSON", "not JSON"],
            id="numbers that no double holds",
        ),
        pytest.param(
            packed(
                rb'{"a":"\ud800","b":"\uDC00\ud83d","c":1e400}',
                rb'{"a":"\ud83d\ude00 \\ud800 \\\ud800!"}',
                rb'{"a":"\ud8',
            ),
            [{"a": "\ufffd", "b": "\ufffd\ufffd", "c": 1e308}, {"a": "\U0001f600 \\ud800 \\\ufffd!"}, "not JSON"],
            id="halves of characters",
        ),
        pytest.param(
            packed(b'{"a":' + b"1" * 5000 + b"}" + ONE), [{"a": 1e308}, json.loads(ONE)], id="a long number, no newline"
        ),
    ],
)
def test_records_and_holes_come_in_order(tmp_path, content, expected):
    assert found(tmp_path, content) == expected


def test_a_truncated_file_gives_what_is_whole_and_one_hole(tmp_path):
    lines = [json.dumps({"id": str(number), "noise": f"{number * 7919 % 65537:x}"}).encode() for number in range(5000)]
    whole = packed(*lines)
    values = found(tmp_path, whole[: len(whole) // 2])
    assert values[-1] == "truncated gzip"
    assert [value["id"] for value in values[:-1]] == [str(number) for number in range(len(values) - 1)]
    assert 1000 < len(values) < 5000


def test_long_lines_are_passed_over_and_what_follows_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "LONGEST_RECORD", 3 << 20)
    long = b'{"id":"' + b"x" * (9 << 20) + b'"}'
    assert found(tmp_path, packed(ONE, long, TWO)) == [json.loads(ONE), "line too long", json.loads(TWO)]


def test_a_long_file_without_newlines_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "LONGEST_RECORD", 1 << 16)
    monkeypatch.setattr(unpack, "PIECE_BYTES", 1 << 14)
    texts = [
        json.dumps({"id": number, "code": "if (x) {y}{z \u00e9" * (number % 40)}).encode() for number in range(2000)
    ]
    assert [value["id"] for value in found(tmp_path, gzip.compress(b"".join(texts)))] == list(range(2000))


def test_rows_of_a_file_are_told_apart(tmp_path):
    text = '\ufeffsha,author_date,title\na,2026-01-01T00:00:00+02:00,"two\nlines, one row"\nb,2026\n\nc,2026,x,y\n'
    assert found(tmp_path, gzip.compress(text.encode() + b"d,2026,\xff\n"), "commits.csv.gz") == [
        {"sha": "a", "author_date": "2026-01-01T00:00:00+02:00", "title": "two\nlines, one row"},
        "columns missing",
        "too many columns",
        {"sha": "d", "author_date": "2026", "title": "\ufffd"},
    ]


def test_a_quote_that_does_not_end_takes_no_other_row_with_it(tmp_path):
    lines = ["sha,day,author", *(f"{at},2026,ann" for at in range(3000))]
    lines[11], lines[601], lines[2990] = '10,2026,"Bob', '600,2026,"Eve', '2989,2026,"Two\nlines"'
    lines[2995] = '2994,2026,"Zoe'
    rows = found(tmp_path, gzip.compress("\n".join(lines).encode()), "commits.csv.gz")
    assert [row["sha"] for row in rows] == [str(at) for at in range(3000)]
    authors = {row["sha"]: row["author"] for row in rows if row["author"] != "ann"}
    assert authors == {"10": '"Bob', "600": '"Eve', "2989": "Two\nlines", "2994": '"Zoe'}


def test_a_cell_may_be_as_large_as_a_record(tmp_path):
    text = "line, and\n" * 20_000
    packed_rows = gzip.compress(f'sha,message\n1,"{text}"\n2,{"x" * 200_000}\n'.encode())
    assert found(tmp_path, packed_rows, "commits.csv.gz") == [
        {"sha": "1", "message": text}, {"sha": "2", "message": "x" * 200_000}
    ]  # fmt: skip
