"""Settings that are text to `Settings` and mean something to the loop: what makes no sense is found before anything starts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ratchet import workloads
from ratchet.contracts.errors import RatchetError
from ratchet.contracts.source import Source, Span
from ratchet.decide.overrides import override
from ratchet.settings import Settings

Look = Callable[[Settings], str]


def problems(settings: Settings, looks: Mapping[str, Look]) -> Iterator[str]:
    """Whatever of it makes no sense, each in a line that names its setting."""
    for look in looks.values():
        try:
            look(settings)
        except RatchetError as problem:
            yield str(problem)


def _workloads(settings: Settings) -> str:
    try:
        return ", ".join(workloads.find(name).name for name in _named(settings))
    except RatchetError as problem:
        raise RatchetError(f"WORKLOADS={settings.workloads}: {problem}") from problem


def _policy(settings: Settings) -> str:
    for name in _known(settings):
        override(workloads.find(name).policy, settings.policy, workload=name, workloads=frozenset(workloads.names()))
    return "what POLICY says, over each workload's own" if settings.policy else "each workload's own"


def _events(settings: Settings) -> str:
    list(_sources(settings))
    return settings.events


def _events_here(settings: Settings) -> str:
    """Folders are looked for, nobody else is asked."""
    for source in _sources(settings):
        for folder in source.folders:
            if not folder.is_dir():
                raise RatchetError(f"EVENTS names {folder}, which is no folder: mend it, or set EVENTS=sample")
    return settings.events


def _sources(settings: Settings) -> Iterator[Source]:
    span = Span.parse(settings.events_from, settings.events_to)
    for name in _known(settings):
        yield from workloads.find(name).sources(settings.events, span=span)


def _known(settings: Settings) -> list[str]:
    return [name for name in _named(settings) if name in workloads.names()]


def _named(settings: Settings) -> list[str]:
    return [name.strip() for name in settings.workloads.split(",")]


ELSEWHERE: Final[Mapping[str, Look]] = {"workloads": _workloads, "policy": _policy, "events": _events}
"""What can be looked at where the loop itself does not run, and what each look finds; a `RatchetError` where it makes no sense."""
HERE: Final[Mapping[str, Look]] = {**ELSEWHERE, "events": _events_here}
"""The same on the machine whose folders it reads."""
