"""From the spool to the database: in order, each record once in effect, nothing deleted before it is committed."""

import fcntl
import io
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import orjson
import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812, it is a class

from ratchet.database import hanging_up, outline
from ratchet.serve import log_lines, segments
from ratchet.serve.spool import Spool

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25
LONGEST_WAIT_SECONDS: Final = 10.0
DOUBLINGS: Final = 6
"""Of the wait after a failure: more of them change nothing, and a thousand are no number."""
LEFT_SECONDS: Final = 60.0
"""For so long a file that cannot be read, or of which nothing can be set aside, is not looked at again."""
SILENT_SECONDS: Final = 45.0
"""The database ends each statement sooner, if only with an error: who has said nothing for so long hangs."""
PIECE_BYTES: Final = 1 << 16  # each piece takes the interpreter from whoever answers a forecast
CONNECT: Final[dict[str, Any]] = {
    "connect_timeout": 3,
    "client_encoding": "UTF8",  # as JSON is, whatever the environment says
    "options": "-c timezone=UTC -c client_min_messages=warning -c lock_timeout=10s -c statement_timeout=30s",
    "application_name": "ratchet forecast log",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
AT_FAULT: Final = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
)
"""What the database says of data that it will never take; it says the last two of what is too long, or nested too deeply."""
TOO_MUCH: Final = errors.QueryCanceled
"""What a slow database says of more than it can do in time; who waits for a lock is told another thing, and sooner."""
WAITS: Final = errors.LockNotAvailable
"""What it says where somebody else holds the same rows: a backend that hangs with what it was sent earlier."""

DAMAGED: Final = "an answer is damaged, so nothing says what was answered by those that point at it"
CHANGED: Final = "damaged in the spool: something here is not what was written, as its sum or the id of an answer shows"

STAGE: Final = """
CREATE TEMP TABLE IF NOT EXISTS stage (
    body jsonb NOT NULL CHECK (body ->> 'record' IN ('answer', 'forecast', 'feedback'))
) WITH (toast_tuple_target = 8160) ON COMMIT DELETE ROWS
"""
"""Its rows live for a moment and are read three times: squeezing them would cost more than all the rest."""
# Lines of JSON go in as they are: no control character can occur in one, so none of these is ever met.
COPY: Final = r"COPY pg_temp.stage (body) FROM STDIN WITH (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01')"
DAYS: Final = """
SELECT ensure_forecast_day(day) FROM (
    SELECT DISTINCT ((body ->> 'at')::timestamptz AT TIME ZONE 'UTC')::date AS day
    FROM pg_temp.stage WHERE body ->> 'record' = 'forecast'
) AS days
"""
# What is answered is kept once a day, however many ask; what is left of a forecast says who, when, and of what.
FORECASTS: Final = """
WITH answered AS MATERIALIZED (
    SELECT r.* FROM pg_temp.stage, jsonb_to_record(body) AS r (
        answer_id uuid, workload text, unique_id text, target text, horizon int, track text, release text, release_id text,
        data_hour timestamptz, family text, weeks jsonb
    ) WHERE body ->> 'record' = 'answer'
), given AS MATERIALIZED (
    SELECT r.* FROM pg_temp.stage, jsonb_to_record(body) AS r (
        answer_id uuid, prediction_id text, at timestamptz, assigned text, client text, request_id text,
        latency_ms double precision
    ) WHERE body ->> 'record' = 'forecast'
), kept AS (
    INSERT INTO answers (day, answer_id, weeks)
    SELECT days.day, answer_id, weeks
    FROM (SELECT DISTINCT (at AT TIME ZONE 'UTC')::date AS day, answer_id FROM given) AS days JOIN answered USING (answer_id)
    WHERE weeks IS NOT NULL
    ORDER BY day, answer_id
    ON CONFLICT DO NOTHING
)
INSERT INTO forecasts (prediction_id, at, workload, unique_id, target, horizon, track, assigned, release, release_id,
                       client, request_id, data_hour, answer_id, latency_ms, family)
SELECT given.prediction_id, given.at, a.workload, a.unique_id, a.target, a.horizon, a.track, given.assigned, a.release,
       a.release_id, given.client, given.request_id, a.data_hour, given.answer_id, given.latency_ms, a.family
FROM given LEFT JOIN answered AS a USING (answer_id)
ON CONFLICT DO NOTHING
"""
# Segments may come in any order, so the time decides; one that is still to come was stamped before a clock was set back.
FEEDBACK: Final = """
INSERT INTO feedback AS kept (prediction_id, kind, client, workload, value, at)
SELECT DISTINCT ON (r.prediction_id, r.kind, r.client, r.value ->> 'week') r.prediction_id, r.kind, r.client, r.workload, r.value, r.at
FROM pg_temp.stage, jsonb_populate_record(NULL::feedback, body) AS r
WHERE body ->> 'record' = 'feedback'
ORDER BY r.prediction_id, r.kind, r.client, r.value ->> 'week', r.at DESC
ON CONFLICT (prediction_id, kind, client, coalesce(value ->> 'week', ''))
DO UPDATE SET value = EXCLUDED.value, at = EXCLUDED.at WHERE EXCLUDED.at > kept.at OR kept.at > now()
"""


class Forwarder:
    """Ships a spool folder. Every worker has one; whoever holds the folder's lock works, the others stand by."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        on_rejected: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._database_url = database_url
        self._on_rejected = on_rejected
        self._clock = clock
        self._connection: Connection | None = None
        self._lock: IO[str] | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._left: dict[Path, float] = {}

    def run(self, stop: threading.Event, spool: Spool) -> None:
        """Ship until told to stop, then the own last segment too; nothing that happens inside ends the thread."""
        while not stop.is_set():
            self.step(spool)
            stop.wait(TICK_SECONDS)
        spool.close()
        self.step(spool)
        self.close()

    def step(self, spool: Spool) -> None:
        """Tend the spool and ship what is finished; wait longer after each failure, up to ten seconds."""
        try:
            spool.tick()
            if self._clock() >= self._retry_at:
                self.ship(spool.tick)
                self._note(None)
        except (psycopg2.Error, OSError) as error:
            self._note(error)
        except Exception as error:
            logger.exception("the forecast log could not be forwarded")
            self._note(error)

    def ship(self, tend: Callable[[], None] = lambda: None) -> int:
        """Bring every finished segment to the database and return how many; 0 if another worker is at it.

        After each there is room in the spool for what is asked meanwhile: `tend` sees to it. A file that refuses keeps no other waiting.
        """
        if not self._leads():
            return 0
        shipped = 0
        for path in segments.finished(self._folder, on_trouble=self._leave):
            if path in self._left and self._clock() < self._left[path]:
                continue
            try:
                self._ship_segment(path)
            except FileNotFoundError:
                continue  # somebody removed it, or shipped it too
            except (OSError, WAITS) as error:
                self._leave(path, error)
                continue
            self._left.pop(path, None)
            shipped += 1
            tend()
        return shipped

    def close(self) -> None:
        """Let another worker's forwarder take over."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _leads(self) -> bool:
        if self._lock is None:
            lock = (self._folder / ".forwarder").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._lock = lock
        return True

    def _ship_segment(self, path: Path) -> None:
        whole, end, torn = path.read_bytes().rpartition(b"\n")
        lines, damaged = log_lines.part_changed(whole + end)
        refused = [*self._store(log_lines.take_apart(lines))] if lines else []
        if damaged:
            refused.append((damaged[:-1], CHANGED))
        if torn:
            refused.append((torn, "its writer died while writing it: it was never answered"))
        if refused:
            self._reject(path, refused)
        path.unlink()

    def _leave(self, path: Path, error: OSError | psycopg2.Error) -> None:
        if path not in self._left:
            why = outline(error) if isinstance(error, psycopg2.Error) else error
            logger.error("a file of the forecast log stays in the spool, the others go on: %s: %s", path, why)
        self._left[path] = self._clock() + LEFT_SECONDS

    def _store(self, lines: bytes) -> Iterator[tuple[bytes, str]]:
        """Store all lines in one transaction; if the data is at fault, halve until the one that is stands alone, and name it.

        Answers that were damaged, and all that point at one, are told by their ids and named at once: thousands may.
        What is too much at once goes in halves too; one that is too much by itself waits for a better time.
        """
        try:
            self._insert(lines)
        except (*AT_FAULT, TOO_MUCH) as error:
            answers, records = log_lines.sort_out(lines)
            damaged, records = log_lines.part_damaged(answers, records)
            parts = [records]
            if damaged:
                yield b"\n".join(damaged), DAMAGED
            elif len(records) > 1:
                middle = len(records) // 2
                parts = [records[:middle], records[middle:]]
            elif isinstance(error, TOO_MUCH):
                raise
            else:
                yield lines[:-1], str(error).strip()
                return
            for part in parts:
                yield from self._store(log_lines.put_together(answers, part))

    def _insert(self, lines: bytes) -> None:
        connection = self._connect()
        with (
            hanging_up(connection, after=SILENT_SECONDS) as heard,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(STAGE)
            heard()
            cursor.copy_expert(COPY, io.BytesIO(lines), size=PIECE_BYTES)
            for statement in (DAYS, FORECASTS, FEEDBACK):
                heard()
                cursor.execute(statement)
            heard()

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg2.connect(self._database_url, **CONNECT)
        return self._connection

    def _reject(self, path: Path, refused: Sequence[tuple[bytes, str]]) -> None:
        """Set records of a segment aside, in a file of its own: whoever has to do it again makes the same file."""
        folder = self._folder / "rejected"
        folder.mkdir(exist_ok=True)
        rows = [
            {"reason": reason, "lines": log_lines.unseal(lines).decode(errors="replace")} for lines, reason in refused
        ]
        (folder / f"{path.name.split('.')[0]}.jsonl").write_bytes(
            b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        )
        for lines, reason in refused:
            count = max(log_lines.count_records(lines + b"\n"), 1)
            logger.error("%d set aside in %s: %s", count, folder, reason.splitlines()[0])
            for _ in range(count):
                self._on_rejected()

    def _note(self, error: Exception | None) -> None:
        """Log the first failure and the recovery, and put the next try off."""
        if error is None:
            if self._failures:
                logger.warning("the forecast log is being forwarded again")
            self._failures = 0
            return
        if not self._failures:
            why = outline(error) if isinstance(error, psycopg2.Error) else error
            logger.error("the forecast log stays in the spool: %s", why)
        self._failures += 1
        self._retry_at = self._clock() + min(0.25 * 2.0 ** min(self._failures, DOUBLINGS), LONGEST_WAIT_SECONDS)
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
