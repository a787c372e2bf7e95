"""The registry on MLflow. Each step looks first whether it is done: a crash anywhere is finished by the next try."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import GOING, GONE, KEPT, Release, Track
from ratchet.contracts.release import CARD, Card
from ratchet.register.client import ABSENT, EXISTS, load_mlflow, registry_errors, tolerate
from ratchet.register.discard import discard_issues, discard_release, read_file, stored_issues
from ratchet.register.folder import check_folder
from ratchet.register.live import MlflowLive, as_release, moment
from ratchet.register.show import Draw, pictures
from ratchet.register.standing import ARCHIVED, lifecycle, lines, require_files
from ratchet.register.store import release_location, release_tags, restore_release, store_issue, store_release

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger("ratchet.register")

ABOUT: Final = (
    "Each version is a release. `@production` is what most clients get, `@candidate` what is tried beside it; a release is `CO` and a"
    " number as a candidate, `BO` and a number once it has been live. The loop moves the aliases: by hand `ratchet promote --why` and"
    " `ratchet rollback --why` do it, and keep the reason."
)


class MlflowRegistry:
    """`Registry` on an MLflow server. `client` is MLflow's own unless a test brings another; `draw` makes a release's plots."""

    def __init__(
        self,
        tracking_uri: str,
        *,
        client: "MlflowClient | None" = None,
        page_size: int = 200,
        kms_key: str = "",
        draw: Draw = pictures,
    ) -> None:
        self._live = MlflowLive(tracking_uri)
        self._client = client or load_mlflow().MlflowClient(tracking_uri)
        self._page_size = page_size
        self._kms_key = kms_key
        self._draw = draw
        self._passed_over: set[tuple[str, str]] = set()

    def live(self, workload: str, track: Track) -> Release | None:
        """Return the release behind the alias; None if there is none; `RegistryError` if nobody can say."""
        return self._live.live(workload, track)

    def add(self, folder: Path, card: Card, *, gold: str = "") -> Release:
        """Register a release folder once: the same `release_id` again returns what is there, its files put back if they are gone.

        Who was overtaken by another process returns that one's version, which is the one that counts.
        """
        check_folder(folder, card)
        with registry_errors(f"registering release {card.release_id}"):
            found = self._find(card)
            if found is not None:
                return found if self._is_whole(found) else self._restore(self._fresh(found), folder, card)
            model = store_release(self._client, folder, card, gold=gold, kms_key=self._kms_key, draw=self._draw)
            created = self._create_version(card, model)
            return self._find(card) or created

    def releases(self, workload: str) -> Sequence[Release]:
        """Every release, oldest first."""
        self._live.require_answer(workload)
        with registry_errors(f"listing releases of {workload}"):
            found = self._oldest_of_each(workload)
            return [release for version in found if (release := self._read(workload, version))]

    def name_candidate(self, release: Release) -> Release:
        """Give it the next `CO{n}` unless it has one."""
        given = self._fresh(release).candidate_of
        return self._name(release, "candidate_of", given or self._next("CO", release.workload))

    def name_best(self, release: Release) -> Release:
        """Give it the next `BO{m}` unless it has one."""
        given = self._fresh(release).best_of
        return self._name(release, "best_of", given or self._next("BO", release.workload))

    def mark(self, release: Release, state: str) -> Release:
        """Write its lifecycle state."""
        with registry_errors(f"marking version {release.version} of {release.workload} {state}"):
            self._tag(release, "state", state)
        self.settle(release.workload)
        return self._fresh(release)

    def issue(self, release: Release, folder: Path, number: int) -> Release:
        """Put issue `number` beside what the release issued before, then say that it is the one to serve."""
        with registry_errors(f"issuing {release.release_id} again"):
            store_issue(release.location, folder, number, kms_key=self._kms_key)
            self._tag(release, "issue", str(number))
        self.settle(release.workload)
        return self._fresh(release)

    def point(self, workload: str, track: Track, release: Release | None) -> None:
        """Move a track's alias, and every label that follows it; None takes it away."""
        if release is not None:
            require_files(self._fresh(release))
        with registry_errors(f"moving {workload}@{track}"):
            if release is not None:
                self._client.set_registered_model_alias(workload, track.value, str(release.version))
            else:
                with tolerate(ABSENT):
                    self._client.delete_registered_model_alias(workload, track.value)
        self.settle(workload)

    def settle(self, workload: str) -> None:
        """Bring each release's lifecycle and version to what aliases, states and order say; what is so already is not written."""
        with registry_errors(f"settling the labels of {workload}"):
            aliases = self._aliases(workload)
            versions = self._oldest_of_each(workload)
            counted = lines([version.tags.get("make", "") for version in versions])
            for version, line in zip(versions, counted, strict=True):
                release = self._read(workload, version)
                if release is not None:
                    named = {"semantic_version": f"{line}.{release.issue}"}
                    self._label(release, version.tags, named | self._standing(release, aliases))

    def aliased(self, workload: str) -> frozenset[int]:
        """The versions that any alias names, a track's or one that people gave; of one registered twice at once, each with its twin."""
        with registry_errors(f"reading the aliases of {workload}"):
            named = frozenset(self._aliases(workload).values())
            releases = {int(one.version): one.tags.get("release_id") for one in self._search(f"name = '{workload}'")}
        files = {releases[version] for version in named & releases.keys()}
        return named | {version for version, release_id in releases.items() if release_id in files}

    def retire(self, release: Release) -> Release:
        """Say that its files are going, so that nobody takes it up; `RegistryError` while an alias names it."""
        if release.version in self.aliased(release.workload):
            raise RegistryError(f"an alias names {release.release_id}: its files stay")
        with registry_errors(f"retiring {release.release_id}"):
            self._tag(release, "files", GOING)
        return self._fresh(release)

    def discard(self, release: Release) -> Release:
        """Remove the files of one that is going; its card joins its scores. One that an alias names by now is kept."""
        if self._fresh(release).files != GOING:
            raise RegistryError(f"{release.release_id} was not said to be going: its files stay")
        is_named = release.version in self.aliased(release.workload)
        with registry_errors(f"removing the files of {release.release_id}"):
            if not is_named:
                self._keep_card(release)
                discard_release(release.location)
            self._tag(release, "files", KEPT if is_named else GONE)
        return self._fresh(release)

    def keep_issues(self, release: Release, numbers: Sequence[int], *, at: datetime) -> Release:
        """Say which of its issues stay, so that nobody asks for another. The moment is written first: no list counts too early."""
        with registry_errors(f"naming the issues of {release.release_id} that stay"):
            self._tag(release, "issues_told_at", at.isoformat())
            self._tag(release, "issues", " ".join(map(str, numbers)))
        return self._fresh(release)

    def discard_issues(self, release: Release, *, told_before: datetime) -> Sequence[int]:
        """Remove the issues that were said not to stay, if that was said before a moment: which."""
        with registry_errors(f"removing old issues of {release.release_id}"):
            tags = self._client.get_model_version(release.workload, str(release.version)).tags
            told_at, stay = tags.get("issues_told_at"), as_release(release.workload, release.version, tags).kept_issues
            if not told_at or not stay or moment(told_at) >= told_before:
                return []
            old = [number for number in stored_issues(release.location) if number < max(stay) and number not in stay]
            discard_issues(release.location, old)
        return old

    def _aliases(self, workload: str) -> dict[str, int]:
        with tolerate(ABSENT):
            model = self._client.get_registered_model(workload)
            return {alias: int(version) for alias, version in model.aliases.items()}
        return {}

    def _standing(self, release: Release, aliases: Mapping[str, int]) -> dict[str, str]:
        wanted = lifecycle(release, aliases)
        if wanted != ARCHIVED or release.archived_at is not None:
            return {"lifecycle": wanted}
        # Counts once `lifecycle` says so: a kill between the two is no archived release without a moment.
        return {"archived_at": datetime.now(UTC).isoformat(), "lifecycle": wanted}

    def _label(self, release: Release, tags: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        for key, value in wanted.items():
            if tags.get(key) != value:
                self._tag(release, key, value)

    def _tag(self, release: Release, key: str, value: str) -> None:
        self._client.set_model_version_tag(release.workload, str(release.version), key, value)

    def _is_whole(self, release: Release) -> bool:
        """Whether its files are there. Where somebody took them away by hand that is said first, as of one that was let go."""
        if release.files == KEPT and read_file(release.location, CARD) is None:
            log.warning("the files of %s are gone from %s: they are put back", release.release_id, release.location)
            self._tag(release, "files", GONE)
            return False
        return release.files == KEPT

    def _restore(self, release: Release, folder: Path, card: Card) -> Release:
        if release.files == GOING:
            raise RegistryError(
                f"the files of {release.release_id} are being removed: run `ratchet tidy`, then try again"
            )
        restore_release(self._client, folder, card, location=release.location, kms_key=self._kms_key)
        for key, value in (("issues", ""), ("issue", "1"), ("archived_at", datetime.now(UTC).isoformat())):
            self._tag(release, key, value)
        self._tag(release, "files", KEPT)
        return self._fresh(release)

    def _keep_card(self, release: Release) -> None:
        """The run of a release from before runs had a card gets it now."""
        run_id = str(self._client.get_model_version(release.workload, str(release.version)).run_id)
        if any(artifact.path == CARD for artifact in self._client.list_artifacts(run_id)):
            return
        card = read_file(release.location, CARD)
        if card is not None:
            self._client.log_text(run_id, card.decode(), CARD)

    def _next(self, prefix: str, workload: str) -> str:
        """The first name that nobody was ever given: where a person wrote over one, the tag that is named so still tells of it."""
        with registry_errors(f"reading the names that releases of {workload} have"):
            tags = [version.tags for version in self._oldest_of_each(workload)]
        given = [word for one in tags for word in (*one, one.get("candidate_of", ""), one.get("best_of", ""))]
        numbers = [int(found[1]) for word in given if (found := re.fullmatch(rf"{prefix}(\d+)", word))]
        return f"{prefix}{max(numbers, default=0) + 1}"

    def _name(self, release: Release, tag: str, name: str) -> Release:
        """Write the name, then a tag whose key is the name: that one makes it searchable in MLflow's screens."""
        with registry_errors(f"naming version {release.version} of {release.workload} {name}"):
            for key, value in ((tag, name), (name, "true")):
                self._client.set_model_version_tag(release.workload, str(release.version), key, value)
        return self._fresh(release)

    def _create_version(self, card: Card, model: "LoggedModel") -> Release:
        with tolerate(EXISTS):
            self._client.create_registered_model(card.workload, description=ABOUT)
        tags = {**release_tags(card), "state": "registered", "location": release_location(model)}
        tags["lifecycle"] = lifecycle(as_release(card.workload, "0", tags), {})
        created = self._client.create_model_version(
            card.workload,
            f"models:/{model.model_id}",
            model.source_run_id,
            tags=tags,
            await_creation_for=0,
            model_id=model.model_id,
        )
        self.settle(card.workload)
        return self._fresh(as_release(card.workload, created.version, tags))

    def _find(self, card: Card) -> Release | None:
        wanted = f"name = '{card.workload}' AND tags.release_id = '{card.release_id}'"
        found = next(self._search(wanted), None)
        return as_release(card.workload, found.version, found.tags) if found else None

    def _oldest_of_each(self, workload: str) -> list["ModelVersion"]:
        """Two processes that register the same release at once may both create a version: the older one counts."""
        first: dict[str, ModelVersion] = {}
        for version in self._search(f"name = '{workload}'"):
            if "release_id" not in version.tags:
                self._pass_over(workload, version, "was not registered as a release")
                continue
            first.setdefault(version.tags["release_id"], version)
        return list(first.values())

    def _read(self, workload: str, version: "ModelVersion") -> Release | None:
        """None for one of the archive whose tags a hand has spoilt: nothing waits for it. Any other is a `RegistryError`."""
        try:
            return as_release(workload, version.version, version.tags)
        except RegistryError as error:
            if version.tags.get("lifecycle") != ARCHIVED:
                raise
            self._pass_over(workload, version, f"is archived and cannot be read ({error.__cause__!r})")
            return None

    def _pass_over(self, workload: str, version: "ModelVersion", why: str) -> None:
        """Say once of a version under this name that no move needs that it does not count."""
        if (workload, version.version) not in self._passed_over:
            self._passed_over.add((workload, version.version))
            log.warning("version %s of %s %s: it is passed over", version.version, workload, why)

    def _fresh(self, release: Release) -> Release:
        with registry_errors(f"reading version {release.version} of {release.workload}"):
            version = self._client.get_model_version(release.workload, str(release.version))
        return as_release(release.workload, version.version, version.tags)

    def _search(self, wanted: str) -> Iterator["ModelVersion"]:
        token = None
        while True:
            page = self._client.search_model_versions(
                wanted, max_results=self._page_size, order_by=["version_number ASC"], page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return
