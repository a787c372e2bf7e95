"""Forecasts that were asked for at the same time: one write(2), and one sync if there is any, before the first of them is answered.

Under load a worker finds many connections readable at once. One write for all costs a sixth of one for each, and answers that leave
together wake up whoever waits for them once.
"""

from typing import Final, Generic, TypeVar

from inference.service import Lines
from ratchet.serve.log_lines import Answers

Connection = TypeVar("Connection")

TOGETHER: Final = 32
"""An answer waits for so many at most, each of which takes some hundredths of a millisecond to make; more would hardly be cheaper."""
LARGE: Final = 1 << 16
"""Bytes of a reply that goes at once: a batch has lines enough for a write of its own, and is cheaper to send while it is in the cache."""


class Round(Generic[Connection]):
    """Replies that wait, with their connections, and what the log has to say before they may go."""

    def __init__(self, log: Lines) -> None:
        self._log = log
        self._lines: list[bytes] = []
        self._records = 0
        self._answers: dict[bytes, bytes] = {}
        self._replies: list[tuple[Connection, bytes]] = []

    def append_lines(self, lines: bytes, records: int, answers: Answers) -> bool:
        """Take note of what is to be written; whether that is possible is known, counted and said when it is."""
        self._lines.append(lines)
        self._records += records
        self._answers.update(answers)
        return True

    def add(self, connection: Connection, reply: bytes) -> bool:
        """Have a reply wait; whether it is time to send."""
        self._replies.append((connection, reply))
        return len(self._replies) >= TOGETHER or len(reply) >= LARGE

    def end(self) -> list[tuple[Connection, bytes]]:
        """Write everything down, and return the replies that may go now."""
        if self._lines:
            self._log.append_lines(b"".join(self._lines), self._records, self._answers)
            self._lines, self._records, self._answers = [], 0, {}
        replies, self._replies = self._replies, []
        return replies
