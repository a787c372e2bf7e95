"""What one training learns from, with which families and by whose hands: a release, or a share of the work ahead of it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.workload import Workload
from ratchet.ingest import GoldPartition, read_series, read_vintages
from ratchet.train import Budget, code_version, train, validate_share
from ratchet.train.crew import Crew

log = logging.getLogger("ratchet.training")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A workload's families on a partition of gold."""

    workload: Workload
    gold: GoldPartition
    recipe: tuple[str, ...]
    crew: Crew

    def make(self, out: Path, *, budget: Budget, reason: str) -> str:
        """Make the release; its id. The same gold, code, recipe and budget give the same release, without work."""
        log.info("training %s on %s: %s", self.workload.name, self._on(), reason)
        card = train(
            read_series(self.gold),
            vintages=read_vintages(self.gold),
            workload=self.workload,
            recipe=self.recipe,
            data_hour=self.gold.data_hour,
            code_version=code_version(),
            synthetic=self.gold.synthetic,
            gold=self.gold.digest,
            out=out,
            progress=log.info,
            crew=self.crew,
            budget=budget,
        )
        return card.release_id

    def validate(self, share: int, of: int, *, budget: Budget) -> int:
        """Do one of so many shares of its validation and of what it tries ahead, for a crew that remembers; how many jobs that was."""
        if not 1 <= share <= of:
            raise RatchetError(f"there is no share {share} of {of}: TRAIN_TASKS says how many there are")
        log.info("validating share %d of %d of %s on %s", share, of, self.workload.name, self._on())
        return validate_share(
            read_series(self.gold),
            vintages=read_vintages(self.gold),
            workload=self.workload,
            recipe=self.recipe,
            data_hour=self.gold.data_hour,
            share=slice(share - 1, None, of),
            progress=log.info,
            crew=self.crew,
            budget=budget,
        )

    def _on(self) -> str:
        return f"gold as of {self.gold.data_hour} with {', '.join(self.recipe)}"
