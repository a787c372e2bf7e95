"""A calibration as a release keeps it."""

from dataclasses import asdict
from typing import Any

from ratchet.train import calibrate


def to_json(calibration: calibrate.Calibration) -> list[dict[str, Any]]:
    """Say a calibration as JSON can hold it."""
    return [
        {"size": calibrate.SIZES[size], "block": block, **asdict(pool)} for (size, block), pool in calibration.items()
    ]


def from_json(pools: list[dict[str, Any]]) -> calibrate.Calibration:
    """Read what `to_json` wrote."""
    return {
        (calibrate.SIZES.index(pool["size"]), int(pool["block"])): calibrate.Pool(
            bounds={level: (float(lo), float(hi)) for level, (lo, hi) in pool["bounds"].items()},
            mean=float(pool["mean"]),
            square=float(pool["square"]),
            stretch={level: float(pool.get("stretch", {}).get(level, 1.0)) for level in calibrate.LEVELS},
        )
        for pool in pools
    }
