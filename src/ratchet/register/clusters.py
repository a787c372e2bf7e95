"""Which series are alike, shown in MLflow: one run per state of gold, with k, its silhouettes and a plot."""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ratchet.register.client import experiment, load_mlflow, registry_errors

_NOT_FEATURES: Final = frozenset({"unique_id", "cluster", "k", "silhouette", "silhouettes", "method"})


def log_clusters(clusters: pd.DataFrame, tracking_uri: str, *, workload: str, digest: str) -> dict[str, float]:
    """Log the gold table `clusters` as a run of the experiment `<workload>-clusters`; a gold that has one already gets no other.

    Returns what was logged, nothing if no series could be grouped. A `RegistryError` says that MLflow is away.
    """
    if clusters.empty:
        return {}
    first = clusters.iloc[0]
    silhouettes: dict[str, float] = json.loads(first["silhouettes"])
    figures = {"k": float(first["k"]), "silhouette": float(first["silhouette"])}
    client = load_mlflow().MlflowClient(tracking_uri)
    with registry_errors(f"logging the clusters of {workload}"):
        name = f"{workload}-clusters"
        about = f"Which series of {workload} are alike: a run for each state of gold, with what was grouped as a table and a plot."
        experiment_id = experiment(client, name, about=about)
        wanted = f"tags.gold = '{digest}' and attributes.status = 'FINISHED'"
        if client.search_runs([experiment_id], filter_string=wanted, max_results=1):
            return figures
        run_id = client.create_run(experiment_id, tags={"gold": digest}, run_name=digest[:8]).info.run_id
        client.log_param(run_id, "method", str(first["method"]))
        client.log_param(run_id, "series", len(clusters))
        for key, value in figures.items():
            client.log_metric(run_id, key, value)
        for k, value in silhouettes.items():
            client.log_metric(run_id, "silhouette_by_k", value, step=int(k))
        with tempfile.TemporaryDirectory() as folder:
            clusters.to_csv(Path(folder) / "clusters.csv", index=False)
            plot(clusters, silhouettes).savefig(Path(folder) / "clusters.png", dpi=110)
            client.log_artifacts(run_id, folder)
        client.set_terminated(run_id, "FINISHED")
    return figures


def plot(clusters: pd.DataFrame, silhouettes: dict[str, float]) -> Any:  # noqa: ANN401  # matplotlib has no types here
    """The series along their two main axes, coloured by cluster, and the silhouette of each k that was tried."""
    import numpy as np  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415  (comes with MLflow; only this needs it)

    features = [name for name in clusters.columns if name not in _NOT_FEATURES]
    points = np.log1p(clusters[features].to_numpy(dtype=float))  # most are counts, of all magnitudes
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    axes = np.linalg.svd(points, full_matrices=False)[2][:2]
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.scatter(*(points @ axes.T).T, c=clusters["cluster"], cmap="tab10", s=18)
    left.set(
        title=f"{len(clusters)} series in {int(clusters['k'].iloc[0])} clusters",
        xlabel="first main axis",
        ylabel="second",
    )
    right.plot([int(k) for k in silhouettes], list(silhouettes.values()), marker="o")
    right.set(title="silhouette by k", xlabel="k")
    return figure
