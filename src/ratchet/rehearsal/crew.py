"""Weeks do not need each other, so they share the cores: a task each, in processes that die with whoever asked."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from ratchet.train.colleague import ask_each
from ratchet.train.crew import cores

Task = TypeVar("Task")
Say = Callable[[int, int], None]


def share(work: Callable[[Task], str], tasks: Sequence[Task], *, say: Say, processes: int | None = None) -> list[str]:
    """What the work answered to each task, in the order of the tasks."""
    answers = [""] * len(tasks)
    for done, (place, answer) in enumerate(_answers(work, tasks, processes or min(len(tasks), cores())), 1):
        answers[place] = answer
        say(done, len(tasks))
    return answers


def _answers(work: Callable[[Task], str], tasks: Sequence[Task], processes: int) -> Iterator[tuple[int, str]]:
    if processes <= 1:
        return ((place, work(task)) for place, task in enumerate(tasks))
    return ask_each(work, [partial(_do, task) for task in tasks], processes=processes)


def _do(task: Task, work: Callable[[Task], str]) -> str:
    return work(task)
