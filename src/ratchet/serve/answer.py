"""Which release answers for which workload on this track, and the error that says why none does."""

from collections.abc import Iterable

from ratchet.contracts.errors import NotReadyError, RatchetError
from ratchet.serve.swap import ReleaseSlot, Serving


class UnknownWorkloadError(RatchetError):
    """This service does not serve the workload that was asked for."""


class Answerer:
    """The slots of one track. Whoever asks holds on to the `Serving` it got: a swap changes only the next question."""

    def __init__(self, slots: Iterable[ReleaseSlot]) -> None:
        self._slots = {slot.workload: slot for slot in slots}

    def serving(self, workload: str) -> Serving:
        """Return what answers for a workload now, or an `UnknownWorkloadError` or `NotReadyError`."""
        slot = self._slots.get(workload)
        if slot is None:
            raise UnknownWorkloadError(f"no workload {workload!r} here; there is {', '.join(self._slots)}")
        current = slot.current
        if current is None:
            raise NotReadyError(f"no release of {workload} is loaded on this track")
        return current

    def current(self, workload: str) -> Serving | None:
        """Return what answers for a workload now, if anything does."""
        slot = self._slots.get(workload)
        return slot.current if slot else None

    def serves(self, workload: str) -> bool:
        """Whether this is one of the service's workloads, loaded or not."""
        return workload in self._slots

    def workloads(self) -> tuple[str, ...]:
        """Return the service's workloads, loaded or not."""
        return tuple(self._slots)

    def loaded(self) -> tuple[Serving, ...]:
        """Return everything that can answer now."""
        return tuple(slot.current for slot in self._slots.values() if slot.current is not None)

    def missing(self) -> tuple[str, ...]:
        """Return the workloads that cannot answer now."""
        return tuple(workload for workload, slot in self._slots.items() if slot.current is None)
