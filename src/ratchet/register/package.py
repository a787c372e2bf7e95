"""What MLflow needs beside a release folder to load it as a pyfunc: signature, example, environment. No pickle."""

from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, Final

from ratchet.contracts.release import STATISTICS
from ratchet.register.client import load_mlflow
from ratchet.register.pyfunc import ReleaseModel

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

FOLDER: Final = "data/release"
"""Where the release folder lies inside the model's artifacts."""
LOADER: Final = "ratchet.register.pyfunc"
REQUIREMENTS: Final = ("mlflow", "numpy", "pandas")


def write_package(path: Path, release: Path, *, model_id: str, run_id: str, location: str) -> None:
    """Write the `MLmodel` folder at `path` for a release folder that lies, or will lie, in `FOLDER` beside it."""
    mlflow = load_mlflow()
    model = mlflow.models.Model(
        artifact_path=location, model_uuid=model_id, model_id=model_id, run_id=run_id, signature=_signature()
    )
    mlflow.pyfunc.save_model(
        str(path),
        loader_module=LOADER,
        mlflow_model=model,
        input_example=ReleaseModel(release).example(),
        conda_env=_environment(),
    )
    # Said afterwards, because save_model(data_path=…) would copy the whole release once more just to say it.
    model.flavors["python_function"]["data"] = FOLDER
    model.model_size_bytes = sum(file.stat().st_size for file in release.rglob("*") if file.is_file())
    model.save(str(path / "MLmodel"))


def _signature() -> "ModelSignature":
    mlflow = load_mlflow()
    column, schema = mlflow.types.ColSpec, mlflow.types.Schema
    asked = [column("string", "unique_id"), column("string", "target"), column("long", "horizon")]
    answered = [*asked, *(column("float", name) for name in STATISTICS)]
    signature: ModelSignature = mlflow.models.ModelSignature(inputs=schema(asked), outputs=schema(answered))
    return signature


def _environment() -> dict[str, Any]:
    """Written out, because MLflow would otherwise guess it by running the model in a process of its own."""
    pinned = [f"{name}=={version(name)}" for name in REQUIREMENTS]
    return {
        "name": "ratchet",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python_version()}", "pip", {"pip": pinned}],
    }
