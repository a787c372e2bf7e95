"""The registry on MLflow. Each step looks first whether it is done: a crash anywhere is finished by the next try."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ratchet.contracts.ports import Release, Track
from ratchet.contracts.release import Card
from ratchet.register.client import load_mlflow, registry_errors
from ratchet.register.folder import check_folder
from ratchet.register.live import MlflowLive, as_release
from ratchet.register.store import release_location, release_tags, store_issue, store_release

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
ABSENT: Final = "RESOURCE_DOES_NOT_EXIST"


class MlflowRegistry:
    """`Registry` on an MLflow server. `client` is MLflow's own unless a test brings another."""

    def __init__(
        self, tracking_uri: str, *, client: "MlflowClient | None" = None, page_size: int = 200, kms_key: str = ""
    ) -> None:
        self._live = MlflowLive(tracking_uri)
        self._client = client or load_mlflow().MlflowClient(tracking_uri)
        self._page_size = page_size
        self._kms_key = kms_key

    def live(self, workload: str, track: Track) -> Release | None:
        """Return the release behind the alias; None if there is none; `RegistryError` if nobody can say."""
        return self._live.live(workload, track)

    def add(self, folder: Path, card: Card) -> Release:
        """Register a release folder once: the same `release_id` again returns what is there."""
        check_folder(folder, card)
        with registry_errors(f"registering release {card.release_id}"):
            found = self._find(card)
            if found is not None:
                return found
            model = store_release(self._client, folder, card, kms_key=self._kms_key)
            return self._create_version(card, model)

    def releases(self, workload: str) -> Sequence[Release]:
        """Every release, oldest first."""
        with registry_errors(f"listing releases of {workload}"):
            # Two processes that register the same release at once may both create a version: the older one counts.
            first: dict[str, Release] = {}
            for release in self._search(f"name = '{workload}'"):
                first.setdefault(release.release_id, release)
        return list(first.values())

    def name_candidate(self, release: Release) -> Release:
        """Give it the next `CO{n}` unless it has one."""
        given = self._fresh(release).candidate_of
        taken = [other.candidate_of for other in self.releases(release.workload)]
        return self._name(release, "candidate_of", given or _next("CO", taken))

    def name_best(self, release: Release) -> Release:
        """Give it the next `BO{m}` unless it has one."""
        given = self._fresh(release).best_of
        taken = [other.best_of for other in self.releases(release.workload)]
        return self._name(release, "best_of", given or _next("BO", taken))

    def mark(self, release: Release, state: str) -> Release:
        """Write its lifecycle state."""
        with registry_errors(f"marking version {release.version} of {release.workload} {state}"):
            self._client.set_model_version_tag(release.workload, str(release.version), "state", state)
        return self._fresh(release)

    def issue(self, release: Release, folder: Path, number: int) -> Release:
        """Put issue `number` beside what the release issued before, then say that it is the one to serve."""
        with registry_errors(f"issuing {release.release_id} again"):
            store_issue(release.location, folder, number, kms_key=self._kms_key)
            self._client.set_model_version_tag(release.workload, str(release.version), "issue", str(number))
        return self._fresh(release)

    def point(self, workload: str, track: Track, release: Release | None) -> None:
        """Move a track's alias; None takes it away."""
        with registry_errors(f"moving {workload}@{track}"):
            if release is not None:
                self._client.set_registered_model_alias(workload, track.value, str(release.version))
                return
            with _tolerate(ABSENT):
                self._client.delete_registered_model_alias(workload, track.value)

    def _name(self, release: Release, tag: str, name: str) -> Release:
        """Write the name, then a tag whose key is the name: that one makes it searchable in MLflow's screens."""
        with registry_errors(f"naming version {release.version} of {release.workload} {name}"):
            for key, value in ((tag, name), (name, "true")):
                self._client.set_model_version_tag(release.workload, str(release.version), key, value)
        return self._fresh(release)

    def _create_version(self, card: Card, model: "LoggedModel") -> Release:
        with _tolerate(EXISTS):
            self._client.create_registered_model(card.workload)
        tags = {**release_tags(card), "state": "registered", "location": release_location(model)}
        created = self._client.create_model_version(
            card.workload,
            f"models:/{model.model_id}",
            model.source_run_id,
            tags=tags,
            await_creation_for=0,
            model_id=model.model_id,
        )
        return as_release(card.workload, created.version, tags)

    def _find(self, card: Card) -> Release | None:
        wanted = f"name = '{card.workload}' AND tags.release_id = '{card.release_id}'"
        return next(self._search(wanted), None)

    def _fresh(self, release: Release) -> Release:
        with registry_errors(f"reading version {release.version} of {release.workload}"):
            version = self._client.get_model_version(release.workload, str(release.version))
        return as_release(release.workload, version.version, version.tags)

    def _search(self, wanted: str) -> Iterator[Release]:
        token = None
        while True:
            page = self._client.search_model_versions(
                wanted, max_results=self._page_size, order_by=["version_number ASC"], page_token=token
            )
            for version in page:
                yield as_release(version.name, version.version, version.tags)
            token = page.token
            if not token:
                return


def _next(prefix: str, taken: Sequence[str | None]) -> str:
    numbers = [int(name.removeprefix(prefix)) for name in taken if name]
    return f"{prefix}{max(numbers, default=0) + 1}"


@contextmanager
def _tolerate(code: str) -> Iterator[None]:
    """Take MLflow's answer `code` for "already so"."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  (see load_mlflow)

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise
