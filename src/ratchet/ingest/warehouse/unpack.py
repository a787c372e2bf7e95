"""A landed file as a stream of records: no byte in it can fail the read, and none is dropped without a reason.

Memory stays bounded: a record longer than 16 MiB is passed over to its end and named; objects that were written without
a newline between them (all archive files before 2012-08-11) are told apart as they arrive.
"""

import csv
import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import orjson
from isal import isal_zlib  # reads the same streams in half the time of zlib

from ratchet.contracts.workload import Row

PIECE_BYTES: Final = 1 << 20
LONGEST_RECORD: Final = 16 << 20
_GZIP: Final = 31  # zlib's window bits for a stream with gzip's header and checksum
_MAGIC: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NEXT_OBJECT: Final = re.compile(rb'\}\s*\{\s*"')
_END_BEFORE_NEXT: Final = re.compile(r'\}\s*(?=\{\s*")')
_SHOWN: Final = 1 << 16
csv.field_size_limit(LONGEST_RECORD)  # a cell may hold what a record may
_TRIES: Final = 1000
# It tells objects apart, no more: a number is not made, since Python refuses to make a very long one.
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_TEXT_OR_NUMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL)
_LARGE: Final = b"1e308"
# Both halves of a character beyond 16 bits, or one half alone, or any other escape: a backslash may itself be escaped.
_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands where a record should be: why it is none, and the beginning of its bytes."""

    reason: str
    raw: bytes


Found = Mapping[str, Any] | Unreadable


def records(path: Path, quick: Callable[[bytes], Row | None] = lambda _: None) -> Iterator[Found | Row]:
    """Every JSON object or CSV row of a landed file, or what stood in its place; blank lines are nothing.

    A line of which `quick` makes a row comes as that row.
    """
    pieces = _Pieces(path)
    if ".csv" in path.suffixes:
        yield from _rows(pieces)
    else:
        for line in _lines(pieces):
            if not isinstance(line, bytes):
                yield line
            elif line and (row := quick(line)) is not None:
                yield row
            elif line:
                yield from _objects(line)
    if pieces.problem:
        yield pieces.problem


class _Pieces:
    """The file's unpacked bytes, at most 1 MiB at a time; afterwards `problem` says how the file ended if not well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: Unreadable | None = None

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            if self.path.suffix != ".gz":
                yield from iter(lambda: stream.read(PIECE_BYTES), b"")
                return
            packed = stream.read(PIECE_BYTES)
            if not packed:
                self.problem = Unreadable("empty file", b"")
            elif not _MAGIC.startswith(packed[:2]):
                self.problem = Unreadable("damaged gzip", packed[:_SHOWN])
            else:
                yield from self._unpacked(packed, stream)

    def _unpacked(self, packed: bytes, stream: IO[bytes]) -> Iterator[bytes]:
        unpack = isal_zlib.decompressobj(_GZIP)
        while packed:
            try:
                if unpack.eof:  # a file may hold several members
                    unpack = isal_zlib.decompressobj(_GZIP)
                piece = unpack.decompress(packed, PIECE_BYTES)
            except isal_zlib.error:  # type: ignore[misc]  # its stubs take the class for an instance
                self.problem = Unreadable("damaged gzip", packed[:_SHOWN])
                return
            if piece:
                yield piece
            packed = (unpack.unused_data if unpack.eof else unpack.unconsumed_tail) or stream.read(PIECE_BYTES)
        if not unpack.eof:
            yield from self._rest(unpack)

    def _rest(self, unpack: isal_zlib.Decompress) -> Iterator[bytes]:
        if piece := unpack.flush():
            yield piece
        if not unpack.eof:
            self.problem = Unreadable("truncated gzip", b"")


def _lines(pieces: _Pieces) -> Iterator[bytes | Unreadable]:
    rest = b""
    skipping = False
    for piece in pieces:
        first, newline, more = piece.partition(b"\n")
        if not newline:
            rest = b"" if skipping else rest + piece
        else:
            if not skipping:
                yield rest + first
            *whole, rest = more.split(b"\n")
            skipping = False
            yield from whole
        if len(rest) > LONGEST_RECORD:
            objects, rest = _leading_objects(rest, whole=False)
            yield from objects
            if len(rest) > LONGEST_RECORD:
                yield Unreadable("line too long", rest[:_SHOWN])
                rest, skipping = b"", True
    if rest:
        # What a broken file ends with may be half a record: one problem, not two.
        if pieces.problem and not _loads(rest):
            pieces.problem = Unreadable(pieces.problem.reason, rest[:_SHOWN])
        else:
            yield rest


def _objects(line: bytes) -> Iterator[Found]:
    """The object on a line, or each of those that stand on it one after the other."""
    line = line.strip().removeprefix(_BYTE_ORDER_MARK)
    if not line:
        return
    value = _loads(line)
    if value is None and _NEXT_OBJECT.search(line):
        parts, rest = _leading_objects(line, whole=True)
        yield from (_judged(part, _loads(part)) for part in [*parts, rest.strip()] if part)
        return
    yield _judged(line, value)


def _judged(line: bytes, value: object) -> Found:
    if isinstance(value, dict):
        return value
    return Unreadable("not an object" if value is not None else _why(line), line[:_SHOWN])


def _loads(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if not any(word in str(error) for word in ("infinity", "surrogate")):
            return None
    try:
        return orjson.loads(_TEXT_OR_NUMBER.sub(_bounded, line))
    except orjson.JSONDecodeError:
        return None


def _bounded(found: re.Match[bytes]) -> bytes:
    """JSON sets no bound to a number and knows halves of characters; what nobody reads spoils no event, what is read has its own bounds."""
    text = found[0]
    if text[:1] == b'"':
        return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)
    return _LARGE if math.isinf(float(text)) else text


def _why(line: bytes) -> str:
    if line == b"null":
        return "not an object"
    if b"\0" in line:
        return "NUL byte"
    try:
        line.decode()
        orjson.loads(line)
    except UnicodeDecodeError:
        return "not UTF-8"
    except orjson.JSONDecodeError as error:
        return "nested too deeply" if "depth limit" in str(error) else "not JSON"
    return "not JSON"


def _leading_objects(line: bytes, *, whole: bool) -> tuple[list[bytes], bytes]:
    """The objects at the head of a line without newlines between them, and what is left: the beginning of another one."""
    found: list[bytes] = []
    text, at = line.decode("utf-8", "surrogateescape"), 0
    while at < len(text):
        end = _end_of_object(text, at, whole=whole or len(text) - at > LONGEST_RECORD)
        if end is None:
            break
        found.append(text[at:end].encode("utf-8", "surrogateescape").strip())
        at = end
    return [part for part in found if part], text[at:].encode("utf-8", "surrogateescape")


def _end_of_object(text: str, at: int, *, whole: bool) -> int | None:
    while at < len(text) and text[at].isspace():
        at += 1
    try:
        return _DECODER.raw_decode(text, at)[1]
    except json.JSONDecodeError as error:
        if not whole and (error.pos >= len(text) - 16 or error.msg.startswith("Unterminated")):
            return None  # more of it is to come
    except RecursionError:
        pass
    return _resume(text, at)


def _resume(text: str, at: int) -> int | None:
    """Where the next whole object begins after one that is broken; None if none does."""
    for _, after in zip(range(_TRIES), _END_BEFORE_NEXT.finditer(text, at), strict=False):
        try:
            _DECODER.raw_decode(text, after.end())
        except (ValueError, RecursionError):
            continue
        return after.end()
    return None


def _rows(pieces: _Pieces) -> Iterator[Found]:
    """Each row as a mapping from the header's names; bytes that are not UTF-8 are replaced, a torn row is named."""
    header: list[str] | None = None
    lines = _Lines(_text_lines(pieces))
    while lines.more():
        row = lines.row()
        if isinstance(row, Unreadable):
            yield row
        elif not row:
            continue
        elif header is None:
            header = [name.removeprefix("\ufeff").strip() for name in row]
        elif len(row) != len(header):
            yield Unreadable("columns missing" if len(row) < len(header) else "too many columns", _joined(row))
        else:
            yield dict(zip(header, row, strict=True))


class _Lines:
    """Lines of a CSV, of which each row takes as many as it needs; those that a lonely quote has taken are given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._back, self._taken = lines, deque[str](), list[str]()
        self._reader = csv.reader(self)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._lines)
        self._taken.append(line)
        return line

    def more(self) -> bool:
        if not self._back and (line := next(self._lines, None)) is not None:
            self._back.append(line)
        return bool(self._back)

    def row(self) -> list[str] | Unreadable:
        """The next row. Who writes CSV without quoting leaves quotes that do not end with their field: such a line is read as it stands."""
        self._taken.clear()
        row = _row(self._reader)
        if len(self._taken) > 1 and isinstance(_row(csv.reader(self._taken, strict=True)), Unreadable):
            self._back.extendleft(reversed(self._taken[1:]))
            return _row(csv.reader(self._taken[:1], quoting=csv.QUOTE_NONE))
        return row


def _row(reader: Iterator[list[str]]) -> list[str] | Unreadable:
    try:
        return next(reader)
    except csv.Error as error:
        return Unreadable("not CSV", str(error).encode())


def _joined(row: list[str]) -> bytes:
    return ",".join(row).encode("utf-8", "replace")[:_SHOWN]


def _text_lines(pieces: _Pieces) -> Iterator[str]:
    for line in _lines(pieces):
        if isinstance(line, bytes):
            yield line.decode("utf-8", "replace") + "\n"
        else:
            pieces.problem = line
