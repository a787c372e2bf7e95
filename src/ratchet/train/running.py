"""How a training went: the seconds of each stage, the memory, and in what environment. Beside a release, and no part of what it is."""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ratchet.contracts.release import TRAINING
from ratchet.train.code import versions
from ratchet.train.crew import Crew, cores

LIBRARIES: Final = ("numpy", "lightgbm", "statsmodels", "statsforecast", "onnx")
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def _peak(who: int) -> float:
    return round(resource.getrusage(who).ru_maxrss * _RSS_UNIT / 2**20, 1)


def _peak_of_workers() -> float:
    return _peak(resource.RUSAGE_CHILDREN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Who trains, who is told, and what each stage took so far."""

    crew: Crew
    say: Callable[[str], None]
    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, float] = field(default_factory=dict)
    peak_before: float = field(default_factory=_peak_of_workers)
    """Of the processes that this one had started, and that had ended, before the training began: they are none of its workers."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what is done within to a stage."""
        begun = self.clock()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - begun

    def describe(self) -> dict[str, Any]:
        """Return seconds by stage, peak memory of this process and of its largest worker here, and the environment."""
        workers = _peak_of_workers()
        return {
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "peak_mib": _peak(resource.RUSAGE_SELF),
            **({"worker_peak_mib": workers} if workers > self.peak_before else {}),
            "environment": {
                "cores": cores(),
                "crew": getattr(self.crew, "__qualname__", "").partition(".")[0],
                "platform": platform.platform(),
                "python": platform.python_version(),
                **versions(LIBRARIES),
            },
        }

    def write(self, release: Path) -> None:
        """Write it beside the release's card, whole or not at all; a release without it is as good."""
        draft = release.with_name(f".{release.name}.{os.getpid()}.{TRAINING}")
        try:
            draft.write_text(json.dumps(self.describe(), indent=1, sort_keys=True) + "\n")
            draft.replace(release / TRAINING)
        except OSError as error:
            draft.unlink(missing_ok=True)
            self.say(f"how the training went is not kept: {error}")
