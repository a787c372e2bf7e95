"""The MLflow client library, loaded late and kept quiet: no telemetry, no progress bars, no look around."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ratchet.contracts.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
ABSENT: Final = "RESOURCE_DOES_NOT_EXIST"
QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # the library would report its use over the network
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # runs have logs, not terminals
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # it would copy the caller's pyproject.toml and uv.lock into every release
    # Together less than others wait for a workload's lock. The defaults hang for a quarter of an hour; schedulers retry the step.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def load_mlflow() -> ModuleType:
    """Return `mlflow` with its pyfunc flavour. Settings that the environment already holds are left as they are."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        # Raised by MLflow's own type hints while it is imported; nothing a caller could change.
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType", category=UserWarning)
        import mlflow  # noqa: PLC0415  (seconds and hundreds of modules: paid by the stage that registers, not by its importers)
        import mlflow.pyfunc  # noqa: PLC0415
    return mlflow


def experiment(client: "MlflowClient", name: str, *, about: str) -> str:
    """The id of the experiment of this name, made with a word on what its runs are if it is not there."""
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name, tags={"mlflow.note.content": about}))


@contextmanager
def registry_errors(doing: str) -> Iterator[None]:
    """Whatever MLflow or the artifact store raises inside leaves as a `RegistryError` that says what was being done."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  (see load_mlflow)

    try:
        yield
    except (MlflowException, OSError) as error:
        raise RegistryError(f"{doing}: {_away(error) or ' '.join(str(error).split())[:300]}") from error


@contextmanager
def tolerate(code: str) -> Iterator[None]:
    """Take MLflow's answer `code` for "already so"."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  (see load_mlflow)

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


def _away(error: BaseException) -> str:
    """Who did not answer and why, where that is what happened: MLflow's words for it are an address and two stacks of retries."""
    from requests import RequestException  # noqa: PLC0415  (comes with MLflow)

    asked = error.__cause__ or error.__context__
    if not isinstance(asked, RequestException) or asked.request is None:
        return ""
    why = getattr(asked.args[0] if asked.args else asked, "reason", None) or asked
    step: BaseException | None = asked
    while step is not None:
        why = getattr(step, "strerror", None) or why
        step = step.__cause__ or step.__context__
    return f"MLflow at {urlsplit(str(asked.request.url)).netloc} is away: {str(why).rpartition('): ')[2][:200]}"
