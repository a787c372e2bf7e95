"""What the warehouse already holds: its own list of files, kept in the database itself, so that a kill never parts the two."""

import csv
import hashlib
import inspect
import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from ratchet.contracts.errors import DataError
from ratchet.contracts.workload import Workload
from ratchet.ingest.durable import replace_text
from ratchet.ingest.manifest import Landed
from ratchet.ingest.quality_page import Intake
from ratchet.ingest.warehouse import read as reading
from ratchet.ingest.warehouse import unpack
from ratchet.ingest.warehouse.dbt import SHELL
from ratchet.ingest.warehouse.read import Count, Task

log = logging.getLogger(__name__)

_SCHEMA: Final = """
    CREATE SCHEMA IF NOT EXISTS bronze;
    CREATE TABLE IF NOT EXISTS bronze.landed (
        file_id BIGINT, source VARCHAR, part VARCHAR, kind VARCHAR, hour TIMESTAMP, known_until TIMESTAMP, file VARCHAR,
        bytes BIGINT, sha256 VARCHAR, records BIGINT, rejected BIGINT, unfinished BOOLEAN
    );
    CREATE TABLE IF NOT EXISTS bronze.made_by (silver VARCHAR, gold VARCHAR);
    CREATE TABLE IF NOT EXISTS bronze.published (file_id BIGINT);
    CREATE TABLE IF NOT EXISTS bronze.said (notice VARCHAR);
"""
_KNOWN: Final = "SELECT source, file, sha256, unfinished FROM bronze.landed"
_FORGET_UNFINISHED: Final = "DELETE FROM bronze.landed WHERE unfinished"
_NEXT_ID: Final = "SELECT coalesce(max(file_id), 0) + 1 FROM bronze.landed"
_ADD: Final = "INSERT INTO bronze.landed BY NAME SELECT * FROM arriving_files"
_FINISH: Final = "UPDATE bronze.landed SET unfinished = false WHERE unfinished"
_VIEWS: Final = """
    CREATE OR REPLACE VIEW bronze.arriving AS FROM read_parquet('arriving/rows-*.parquet');
    CREATE OR REPLACE VIEW bronze.arriving_rejected AS FROM read_parquet('arriving/rejected-*.parquet');
"""
_NO_DATABASE: Final = ("not a valid DuckDB database", "Could not read enough bytes")
ARRIVING: Final = "arriving"
_MADE_BY: Final = "SELECT silver, gold FROM bronze.made_by"
_FORGET_MADE_BY: Final = "DELETE FROM bronze.made_by"
_SET_MADE_BY: Final = "INSERT INTO bronze.made_by VALUES (?, ?)"
_DATA_HOUR: Final = "SELECT max(known_until) FROM bronze.landed"
_HOURS: Final = """
    SELECT source, hour, sum(records) AS records, sum(events) AS events, sum(duplicates) AS duplicates, sum(rejected) AS rejected
    FROM silver.file_counts
    GROUP BY source, hour
    ORDER BY source, hour
"""
_SET_PUBLISHED: Final = "INSERT INTO bronze.published SELECT max(file_id) FROM bronze.landed"
# A file that a newer one stands in for is no longer news: mended is mended.
_INTAKE: Final = """
    WITH counts AS (
        SELECT
            counts.*,
            counts.file_id > (SELECT coalesce(max(file_id), 0) FROM bronze.published)
            AND (landed.kind <> $snapshot OR counts.file_id = max(counts.file_id) OVER (PARTITION BY counts.source, counts.part)) AS is_new
        FROM silver.file_counts AS counts
        JOIN bronze.landed AS landed USING (file_id)
    )
    SELECT
        coalesce(sum(records), 0)::BIGINT AS records,
        coalesce(sum(events), 0)::BIGINT AS events,
        coalesce(sum(duplicates), 0)::BIGINT AS duplicates,
        coalesce(sum(rejected), 0)::BIGINT AS rejected,
        coalesce(sum(records) FILTER (is_new), 0)::BIGINT AS new_records,
        coalesce(sum(rejected) FILTER (is_new), 0)::BIGINT AS new_rejected
    FROM counts
"""
_REASONS: Final = "SELECT reason, count(*) FROM silver.rejected_events GROUP BY reason ORDER BY reason"
_HAS_NOTICES: Final = "FROM information_schema.tables WHERE table_schema = 'silver' AND table_name = 'notices'"
_NOTICES: Final = """
    SELECT notice, count(*) OVER () FROM silver.notices ANTI JOIN bronze.said USING (notice) ORDER BY size DESC, notice LIMIT $most
"""
_SET_SAID: Final = "DELETE FROM bronze.said; INSERT INTO bronze.said SELECT notice FROM silver.notices"
HOURS_FILE: Final = "hours.csv"
SNAPSHOT: Final = "snapshot"
ITEMS: Final = "items"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A workload's DuckDB file and what it says of itself."""

    place: Path

    @property
    def database(self) -> Path:
        """Silver and gold, and the list of files that they hold."""
        return self.place / "warehouse.duckdb"

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        # Views over what arrives name their files from here, as dbt does.
        with duckdb.connect(str(self.database), config={"file_search_path": str(self.place)}) as connection:
            connection.execute(_SCHEMA)
            yield connection

    def require_database(self) -> None:
        """Begin anew where what is there is no database: as it is after a disk that was full, or a power cut, when it was made."""
        try:
            with self._open():
                return
        except duckdb.IOException as error:
            if not any(words in str(error) for words in _NO_DATABASE):
                raise
        log.warning("%s is no database: it is made again from bronze", self.database)
        self.forget()

    def forget(self) -> None:
        """Begin anew: everything in here can be made again from bronze."""
        for path in self.place.glob(f"{self.database.name}*"):
            path.unlink()

    def made_by(self) -> tuple[str, str]:
        """What the silver and gold in here were made by; empty texts before the first build, or while one is under way."""
        with self._open() as connection:
            row = connection.execute(_MADE_BY).fetchone()
        return (row[0], row[1]) if row else ("", "")

    def begin(self, silver: str) -> None:
        """Note that a build is under way, and what makes silver from here on: whatever is killed now, the next build does again."""
        self._note_made_by(silver, "")

    def set_made_by(self, silver: str, gold: str) -> None:
        """Write down what silver and gold are made by."""
        self._note_made_by(silver, gold)

    def _note_made_by(self, silver: str, gold: str) -> None:
        with self._open() as connection:
            connection.begin()
            connection.execute(_FORGET_MADE_BY)
            connection.execute(_SET_MADE_BY, [silver, gold])
            connection.commit()

    def pending(self, landed: Sequence[Landed]) -> list[Landed] | None:
        """Which landed files are not in here yet, oldest hour first, of one hour or part in the order of landing.

        None if something in here has changed or gone since.
        """
        turns = enumerate(zip(_turns(landed), landed, strict=True))
        wanted = {(entry.source, entry.file, entry.sha256): (turn, at, entry) for at, (turn, entry) in turns}
        with self._open() as connection:
            known = connection.execute(_KNOWN).fetchall()
        if any((source, file, sha256) not in wanted for source, file, sha256, _ in known):
            return None
        finished = {(source, file, sha256) for source, file, sha256, unfinished in known if not unfinished}
        missing = [(turn, found.source, at, found) for key, (turn, at, found) in wanted.items() if key not in finished]
        return [entry for *_, entry in sorted(missing, key=lambda found: found[:3])]

    def next_id(self) -> int:
        """The number of the next file to read; what an unfinished build has listed is forgotten."""
        with self._open() as connection:
            connection.execute(_FORGET_UNFINISHED)
            return int(connection.execute(_NEXT_ID).fetchall()[0][0])

    def announce(self, workload: Workload, files: Sequence[tuple[Landed, Task, Count]]) -> None:
        """List the files that arrive now and show their rows to dbt."""
        rows = [
            {
                "file_id": count.file_id,
                "source": entry.source,
                "part": task.part,
                "kind": workload.records.kind(task.landed),
                "hour": entry.hour.astimezone(UTC).replace(tzinfo=None),
                "known_until": _known_until(workload, task, count),
                "file": entry.file,
                "bytes": entry.bytes,
                "sha256": entry.sha256,
                "records": count.records,
                "rejected": count.rejected,
                "unfinished": True,
            }
            for entry, task, count in files
        ]
        with self._open() as connection:
            connection.begin()
            connection.execute(_FORGET_UNFINISHED)
            if rows:
                connection.register("arriving_files", pa.Table.from_pylist(rows))
                connection.execute(_ADD)
            connection.execute(_VIEWS)
            connection.commit()

    def finish(self) -> None:
        """Everything that was arriving is in."""
        with self._open() as connection:
            connection.execute(_FINISH)

    def data_hour(self) -> datetime:
        """The end of the newest hour that is known; a `DataError` if nothing that has landed can be read."""
        with self._open() as connection:
            newest: datetime | None = connection.execute(_DATA_HOUR).fetchall()[0][0]
        if newest is None:
            raise DataError("nothing that has landed can be read; the log says what is wrong with each file")
        return newest.replace(tzinfo=UTC)

    def note_published(self) -> None:
        """Gold as these files make it is where its readers find it."""
        with self._open() as connection:
            connection.execute(_SET_PUBLISHED)

    def intake(self) -> Intake:
        """What became of all records, and of those that no gold which moved was judged by: a build that was refused is not forgotten."""
        with self._open() as connection:
            records, events, duplicates, rejected, new, new_rejected = connection.execute(
                _INTAKE, {"snapshot": SNAPSHOT}
            ).fetchall()[0]
            reasons = dict(connection.execute(_REASONS).fetchall())
        return Intake(
            records=records,
            events=events,
            duplicates=duplicates,
            rejected=rejected,
            new_records=new,
            new_rejected=new_rejected,
            reasons=reasons,
        )

    def notices(self, most: int) -> tuple[list[str], int]:
        """What the workload's models have to say of the data and did not say last time, the largest first, and how much more there is."""
        with self._open() as connection:
            if not connection.execute(_HAS_NOTICES).fetchone():
                return [], 0
            rows = connection.execute(_NOTICES, {"most": most}).fetchall()
        return [notice for notice, _ in rows], (rows[0][1] - len(rows) if rows else 0)

    def note_said(self) -> None:
        """Have the next build say only what is new."""
        with self._open() as connection:
            if connection.execute(_HAS_NOTICES).fetchone():
                connection.execute(_SET_SAID)

    def write_hours(self) -> None:
        """Write what became of each landed hour to `hours.csv`: records, events, duplicates, rejected."""
        with self._open() as connection:
            result = connection.execute(_HOURS)
            names = [column[0] for column in result.description or []]
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(names)
            writer.writerows((row[0], row[1].replace(tzinfo=UTC).isoformat(), *row[2:]) for row in result.fetchall())
        replace_text(self.place / HOURS_FILE, text.getvalue())


def _turns(landed: Sequence[Landed]) -> Iterator[datetime]:
    """In which hour each file has its turn to be read: its own, but none before an earlier one of its part, though a clock was set back."""
    newest: dict[tuple[str, str], datetime] = {}
    for entry in landed:
        part = (entry.source, entry.part)
        newest[part] = max(entry.hour, newest.get(part, entry.hour)) if entry.part else entry.hour
        yield newest[part]


def _known_until(workload: Workload, task: Task, count: Count) -> datetime | None:
    """The end of a file's hour, or its beginning if it was asked for within it; a snapshot knows no more than its newest record.

    Nor does it know what was to come when it landed, whatever a wrong clock or a lost offset has dated later.
    """
    kind, hour = workload.records.kind(task.landed), task.landed.hour.astimezone(UTC).replace(tzinfo=None)
    if kind != SNAPSHOT:
        return hour if kind == ITEMS else hour + timedelta(hours=1)
    if count.newest is None:
        return None
    newest = datetime.fromisoformat(count.newest).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return min(newest, hour)


def fingerprints(workload: Workload) -> tuple[str, str]:
    """What shapes silver, and what shapes silver and gold: when the first changes everything is made again from bronze."""
    own = Path(inspect.getfile(workload.records.parse)).parent
    code = [*(Path(inspect.getfile(found)) for found in (reading, unpack)), *own.glob("*.py")]
    silver = [
        *code,
        *SHELL.rglob("*.sql"),
        *(workload.sql / "silver").glob("*.sql"),
        *(workload.sql / "macros").rglob("*.sql"),
    ]
    return _digest(silver), _digest([*silver, *(path for path in workload.sql.rglob("*") if path.is_file())])


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(set(paths)):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
