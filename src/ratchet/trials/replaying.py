"""Every look that was ever recorded, judged again from the journal alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ratchet.contracts.policy import EvidencePolicy
from ratchet.contracts.ports import Journal, LookRow
from ratchet.decide import Record, replay
from ratchet.decide.records import from_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of replaying one experiment; empty differences where every byte is reproduced."""

    experiment_id: int
    looks: int
    without_body: int
    """Looks from before they were kept whole: nothing to replay."""
    differences: tuple[str, ...]
    earlier: int = 0
    """So many of them are in looks that earlier rules judged: these would say something else, which forges nothing."""


def replay_all(journal: Journal, workload: str, *, only: int | None = None) -> Iterator[Replayed]:
    """Replay every experiment of a workload, the newest first, or the one asked for."""
    policies = {name: from_json(EvidencePolicy, body) for name, body in journal.policies().items()}
    current = journal.current(workload)
    found = [*([current] if current else []), *journal.shadows(workload), *journal.past(workload, limit=1_000_000)]
    for number in dict.fromkeys(one.experiment_id for one in found):  # one that ended between two reads is in both
        if only in (None, number):
            yield _replay(number, journal.history(number), policies)


def _replay(experiment_id: int, rows: Iterable[LookRow], policies: dict[str, EvidencePolicy]) -> Replayed:
    rows = list(rows)
    records = [(row, from_json(Record, row.body)) for row in rows if row.body is not None]
    found = replay([record for _, record in records], policies)
    differences = [
        f"{one.at:%Y-%m-%d %H:%M:%S}: {one.what}{' (judged by earlier rules)' * one.is_earlier}" for one in found
    ]
    differences += [
        f"{row.at:%Y-%m-%d %H:%M:%S}: the columns of look {row.look_id} are not those of its record"
        for row, record in records
        if to_json(row.decision) != to_json(record.decision) or row.stage != record.state.stage.value
    ]
    return Replayed(
        experiment_id=experiment_id,
        looks=len(records),
        without_body=len(rows) - len(records),
        differences=tuple(differences),
        earlier=sum(one.is_earlier for one in found),
    )
