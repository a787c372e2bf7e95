"""The dbt model `clusters`: k-means of repositories on their standardised features, k chosen by silhouette."""

import json
from typing import Any, Final

import numpy as np

COUNTS: Final = ["commits", "new_stars", "issues_opened", "prs_opened"]
SHARE: Final = "active_weeks"
LEAST_REPOSITORIES: Final = 6
MOST_CLUSTERS: Final = 8
FITTED: Final = 20_000
JUDGED: Final = 2_000
_STARTS: Final = 4
_STEPS: Final = 100
_SEED: Final = 7


def model(dbt: Any, session: Any) -> Any:  # noqa: ANN401, ARG001  # dbt's own interface
    """One row per repository with its cluster; no row where there are too few different ones to group."""
    dbt.config(materialized="table")
    return cluster(dbt.ref("repository_features").df().sort_values("unique_id", ignore_index=True))


def cluster(frame: Any) -> Any:  # noqa: ANN401  # pandas, which only dbt's process needs
    """Group the rows; the same rows give the same groups, numbered from the one with most commits."""
    # Of counts the logarithm: ten times as many is as far apart among small ones as among large ones.
    points = np.column_stack([np.log1p(frame[COUNTS].to_numpy(dtype=float)), frame[SHARE].to_numpy(dtype=float)])
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    chosen = np.random.default_rng(_SEED).permutation(len(points))
    fitted, judged = points[chosen[:FITTED]], points[chosen[:JUDGED]]
    different = len(np.unique(judged, axis=0))
    if len(frame) < LEAST_REPOSITORIES or different < 3:
        return frame.assign(cluster=0, k=1, silhouette=0.0, silhouettes="{}", method="k-means").head(0)
    centers = {k: k_means(fitted, k) for k in range(2, min(MOST_CLUSTERS, different - 1) + 1)}
    scores = {k: silhouette(judged, nearest(judged, found)) for k, found in centers.items()}
    best = max(scores, key=lambda k: (scores[k], -k))
    busiest_first = centers[best][np.argsort(-centers[best][:, 0], kind="stable")]
    return frame.assign(
        cluster=nearest(points, busiest_first),
        k=best,
        silhouette=scores[best],
        silhouettes=json.dumps({str(k): round(score, 6) for k, score in scores.items()}),
        method="k-means",
    )


def k_means(points: Any, k: int) -> Any:  # noqa: ANN401  # arrays of any precision
    """The centers of Lloyd's algorithm from the best of a few k-means++ starts (Arthur and Vassilvitskii 2007)."""
    source = np.random.default_rng(_SEED)
    found = [_settle(points, _start(points, k, source)) for _ in range(_STARTS)]
    return min(found, key=lambda centers: _distances(points, centers).min(axis=1).sum())


def nearest(points: Any, centers: Any) -> Any:  # noqa: ANN401
    """The number of the center next to each point."""
    return _distances(points, centers).argmin(axis=1)


def silhouette(points: Any, labels: Any) -> float:  # noqa: ANN401
    """The mean over points of (b - a) / max(a, b), 0 for a point alone (Rousseeuw 1987); -1 if all are in one group."""
    groups = np.unique(labels)
    if len(groups) < 2:
        return -1.0
    apart = np.sqrt(_distances(points, points))
    sums = np.stack([apart[:, labels == group].sum(axis=1) for group in groups], axis=1)
    sizes = np.array([(labels == group).sum() for group in groups])
    own = np.searchsorted(groups, labels)
    rows = np.arange(len(points))
    inside = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    widths = (outside - inside) / np.maximum(np.maximum(inside, outside), np.finfo(float).tiny)
    return float(np.where(sizes[own] > 1, widths, 0.0).mean())


def _start(points: Any, k: int, source: Any) -> Any:  # noqa: ANN401
    centers = [points[source.integers(len(points))]]
    while len(centers) < k:
        away = _distances(points, np.array(centers)).min(axis=1)
        centers.append(points[source.choice(len(points), p=away / away.sum())])
    return np.array(centers)


def _settle(points: Any, centers: Any) -> Any:  # noqa: ANN401
    for _ in range(_STEPS):
        labels = nearest(points, centers)
        moved = np.array(
            [
                points[labels == group].mean(axis=0) if (labels == group).any() else center
                for group, center in enumerate(centers)
            ]
        )
        if np.allclose(moved, centers):
            return moved
        centers = moved
    return centers


def _distances(points: Any, centers: Any) -> Any:  # noqa: ANN401
    squares = (points**2).sum(axis=1)[:, None] + (centers**2).sum(axis=1)[None, :] - 2 * points @ centers.T
    return np.maximum(squares, 0.0)
