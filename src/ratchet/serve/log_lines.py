"""The lines of the forecast log: what is answered stands in a segment once, and each time that it was given is a line that points at it.

{"record":"answer","answer_id":"…","workload":…,"weeks":[…]}             what a release says of a series, whoever asks
{"record":"forecast","answer_id":"…","prediction_id":"…","client":…}     that it was given: to whom, when, under which id
{"record":"feedback","prediction_id":"…",…}

The last line of each write ends in `,"sum":…}`: a CRC-32 over all of the write without it. What an older version wrote has none.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from zlib import crc32

import orjson

ANSWER: Final = b'{"record":"answer","answer_id":"'
FORECAST: Final = b'{"record":"forecast","answer_id":"'
ANY_FORECAST: Final = b'{"record":"forecast",'
ID_BYTES: Final = 16
BEFORE_CONTENT: Final = len(ANSWER) + 2 * ID_BYTES + len(b'",')
SUM: Final = b',"sum":'  # no string in JSON has quotes of its own, so nobody can say this
SEAL: Final = re.compile(SUM + rb"[0-9]+(?=}$)", re.MULTILINE)
GIVEN: Final = ("prediction_id", "assigned", "client", "request_id", "at", "latency_ms")

Answers = Mapping[bytes, bytes]
"""Lines of answers by their ids."""


def name_answer(content: bytes) -> bytes:
    """Return the id of an answer: its content says it, so the same one has the same id in every worker."""
    return hashlib.blake2b(content, digest_size=ID_BYTES).hexdigest().encode()


def write_answer(answer_id: bytes, content: bytes) -> bytes:
    """Return the line of an answer; its content is an object in JSON."""
    return b'%b%b",%b\n' % (ANSWER, answer_id, content[1:])


def count_records(lines: bytes) -> int:
    """Count what was answered or said; answers are no records of their own."""
    return lines.count(b"\n") - lines.count(ANSWER)


def seal(lines: bytes, ahead: bytes = b"") -> bytes:
    """Return the lines of one write with a sum over them, and over what is written ahead of them."""
    return b"".join((memoryview(lines)[:-2], SUM, b"%d}\n" % crc32(lines, crc32(ahead))))


def part_changed(lines: bytes) -> tuple[bytes, bytes]:
    """Part from lines what is not as it was written, with all that points at it and what that needs."""
    sound, changed = _compare_sums(lines)
    if not changed:
        return lines, b""
    (answers, records), (theirs, doubtful) = sort_out(unseal(sound)), sort_out(unseal(changed))
    answers |= theirs
    damaged, records = part_damaged(answers, records)
    whole = {one: line for one, line in answers.items() if _is_whole(one, line)}
    return put_together(whole, records), put_together(whole, [*damaged, *doubtful])


def unseal(lines: bytes) -> bytes:
    """Return lines without sums: what comes in another company, or has been mended, is as it has to be."""
    return SEAL.sub(b"", lines)


def sort_out(lines: bytes) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Part answers, by their ids, from the records that point at them."""
    answers, records = {}, []
    for line in lines.split(b"\n")[:-1]:
        if line.startswith(ANSWER):
            answers[_id(line, ANSWER)] = line
        else:
            records.append(line)
    return answers, records


def part_damaged(answers: Answers, records: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Part answers that are not what their ids say, and forecasts that find no other, from the records that remain."""
    damaged = {one: line for one, line in answers.items() if not _is_whole(one, line)}
    whole = answers.keys() - damaged.keys()
    lost = [line for line in records if line.startswith(FORECAST) and _id(line, FORECAST) not in whole]
    gone = set(lost)
    return [*damaged.values(), *lost], [line for line in records if line not in gone]


def put_together(answers: dict[bytes, bytes], records: Sequence[bytes]) -> bytes:
    """Return records as lines again, after the answers that they need."""
    needed = {_id(line, FORECAST) for line in records if line.startswith(FORECAST)}
    return b"".join(line + b"\n" for line in (*(answers[one] for one in needed if one in answers), *records))


def take_apart(lines: bytes) -> bytes:
    """Have every forecast point at its answer: before revision 0008 of the database each line held both.

    A segment has one writer, so the first line tells what the others are: a look at each would hold forecasts up.
    """
    first = max(lines.find(ANY_FORECAST), 0)
    if not lines.startswith(ANY_FORECAST, first) or lines.startswith(FORECAST, first):
        return lines
    answers, records = sort_out(lines)
    for place, line in enumerate(records):
        if line.startswith(ANY_FORECAST) and not line.startswith(FORECAST):
            with suppress(orjson.JSONDecodeError):  # the database says what is wrong with it
                answer_id, answer, records[place] = _take_apart(line)
                answers[answer_id] = answer
    return put_together(answers, records)


def _take_apart(line: bytes) -> tuple[bytes, bytes, bytes]:
    record: dict[str, Any] = orjson.loads(line)
    given = {name: record.pop(name) for name in GIVEN if name in record}
    content = orjson.dumps({name: value for name, value in record.items() if name != "record"})
    answer_id = name_answer(content)
    return (
        answer_id,
        write_answer(answer_id, content)[:-1],
        b'%b%b",%b' % (FORECAST, answer_id, orjson.dumps(given)[1:]),
    )


def _compare_sums(lines: bytes) -> tuple[bytes, bytes]:
    """Part writes that are what their sums say, and lines without one, from the others; a look at a time, for many wait meanwhile."""
    view, begin = memoryview(lines), 0
    sound: list[memoryview] = []
    changed: list[memoryview] = []
    while (at := lines.find(SUM, begin)) >= 0:
        end = lines.find(b"\n", at) + 1
        is_sound = lines[at + len(SUM) : end] == b"%d}\n" % crc32(b"}\n", crc32(view[begin:at]))
        (sound if is_sound else changed).append(view[begin:end])
        begin = end
    return (b"".join([*sound, view[begin:]]), b"".join(changed)) if changed else (lines, b"")


def _is_whole(answer_id: bytes, line: bytes) -> bool:
    return name_answer(b"{" + line[BEFORE_CONTENT:]) == answer_id


def _id(line: bytes, begin: bytes) -> bytes:
    return line[len(begin) : len(begin) + 2 * ID_BYTES]
