"""Which release is behind an alias, asked of MLflow over plain HTTP: no client library, so that serving stays lean."""

import http.client
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import KEPT, Release, Track
from ratchet.register.standing import ARCHIVED

ALIAS_PATH: Final = "/api/2.0/mlflow/registered-models/alias"
MAX_ANSWER_BYTES: Final = 1 << 20


class MlflowLive:
    """`LiveReleases` over MLflow's REST API. None only where MLflow itself says that there is no such alias."""

    def __init__(self, tracking_uri: str, *, timeout: float = 5.0) -> None:
        self._address = urlsplit(tracking_uri)
        self._timeout = timeout
        if self._address.scheme not in {"http", "https"} or not self._address.hostname:
            raise RegistryError(f"not the address of an MLflow server: {tracking_uri}")

    def live(self, workload: str, track: Track) -> Release | None:
        """Return the release behind the alias; None if there is none; `RegistryError` if nobody can say."""
        status, body = self._ask(workload, track)
        answer = _parse(status, body)
        if status != http.HTTPStatus.OK:
            _require_absence(status, answer)
            return None
        return _read_version(answer, workload, track)

    def require_answer(self, workload: str) -> None:
        """Pass an MLflow that answers at all: one that hangs is found in seconds, where its client library asks on."""
        self._ask(workload, Track.PRODUCTION)

    def _ask(self, workload: str, track: Track) -> tuple[int, bytes]:
        query = urlencode({"name": workload, "alias": track.value})
        return self._get(f"{self._address.path.rstrip('/')}{ALIAS_PATH}?{query}")

    def _get(self, path: str) -> tuple[int, bytes]:
        """Status and body. `http.client` follows no redirect and no proxy: the answer is from where we asked."""
        https = self._address.scheme == "https"
        connect = http.client.HTTPSConnection if https else http.client.HTTPConnection
        connection = connect(str(self._address.hostname), self._address.port, timeout=self._timeout)
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            return response.status, response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or repr(error)
            raise RegistryError(f"MLflow at {self._address.netloc} is away: {why}") from error
        finally:
            connection.close()


def as_release(workload: str, version: int | str, tags: Mapping[str, str]) -> Release:
    """Read a model version as a release; `RegistryError` if it is none of ours."""
    try:
        return Release(
            workload=workload,
            version=int(version),
            release_id=tags["release_id"],
            location=tags["location"],
            candidate_of=tags.get("candidate_of"),
            best_of=tags.get("best_of"),
            state=tags.get("state", "registered"),
            data_hour=moment(tags["data_hour"]),
            issue=int(tags.get("issue", 1)),
            lifecycle=tags.get("lifecycle", ""),
            archived_at=_archived_at(tags),
            line=tags.get("semantic_version", "").rpartition(".")[0],
            files=tags.get("files", KEPT),
            kept_issues=tuple(int(number) for number in tags.get("issues", "").split()),
        )
    except (KeyError, ValueError) as error:
        raise RegistryError(f"version {version} of {workload} was not registered as a release: {error!r}") from error


def moment(text: str) -> datetime:
    """Read a moment of a tag; one that a hand wrote without a zone is UTC, as all that Ratchet writes."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _archived_at(tags: Mapping[str, str]) -> datetime | None:
    at = tags.get("archived_at")
    return moment(at) if at and tags.get("lifecycle") == ARCHIVED else None


def _parse(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise RegistryError(f"the registry answered {status} and no JSON: is this MLflow?") from error
    if not isinstance(answer, dict):
        raise RegistryError(f"the registry answered {status} and no object: is this MLflow?")
    return answer


def _require_absence(status: int, answer: dict[str, Any]) -> None:
    """Pass MLflow's own two ways to say "no such model" and "no such alias" (3.17 answers 400 to the latter)."""
    code, message = answer.get("error_code"), str(answer.get("message", ""))
    if (status, code) == (404, "RESOURCE_DOES_NOT_EXIST") and message.startswith("Registered Model"):
        return
    if (status, code) == (400, "INVALID_PARAMETER_VALUE") and message.startswith("Registered model alias"):
        return
    raise RegistryError(f"MLflow answered {status} {code}: {message[:200]}")


def _read_version(answer: dict[str, Any], workload: str, track: Track) -> Release:
    try:
        version = answer["model_version"]
        tags = {tag["key"]: tag["value"] for tag in version.get("tags", [])}
        is_asked_for = version["name"] == workload and track.value in version["aliases"]
        number = version["version"]
    except (AttributeError, KeyError, TypeError) as error:
        raise RegistryError(f"MLflow's answer for {workload}@{track} makes no sense: {error!r}") from error
    if not is_asked_for:
        raise RegistryError(f"MLflow answered with another model than {workload}@{track}")
    return as_release(workload, number, tags)
