"""Where the stack's own files are: in the checkout, and under the home of all local state."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all local state (`DATA_HOME`). Making one of these touches nothing on disk."""

    folder: Path

    @property
    def secrets(self) -> Path:
        """Passwords and signing keys, made once."""
        return self.folder / "secrets.json"

    @property
    def environment(self) -> Path:
        """What a shell needs to reach the running stack: read by `Settings`, rewritten by each `make up`."""
        return self.folder / "stack.env"

    @property
    def run(self) -> Path:
        """Sockets, process ids and rendered configuration."""
        return self.folder / "run"

    @property
    def turn(self) -> Path:
        """Locked by the `make up` that is at work."""
        return self.run / "up.lock"

    def track_socket(self, track: str) -> Path:
        """Where the router meets a track that runs on the same machine."""
        return self.run / f"{track}.sock"

    @property
    def logs(self) -> Path:
        """One log per service."""
        return self.folder / "logs"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL."""
        return self.folder / "postgres"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def api_keys(self) -> Path:
        """The API keys that this home made for itself."""
        return self.folder / "api-keys.json"

    @property
    def weights(self) -> Path:
        """The router's flag files."""
        return self.folder / "router" / "weights"

    @property
    def first_turn(self) -> Path:
        """There once the first run has put a release on each track."""
        return self.folder / "first-turn-done"

    @property
    def first_trial(self) -> Path:
        """There once a first candidate has been put on trial in a composed stack, where the candidate's container may come later."""
        return self.folder / "first-trial-done"

    def prepare(self) -> None:
        """Make the folders that services expect."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.run, self.logs, self.postgres, self.airflow, self.weights, self.folder / "prometheus"):
            folder.mkdir(parents=True, exist_ok=True)
