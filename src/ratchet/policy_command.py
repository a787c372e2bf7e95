"""`ratchet policy`: the rules that decide, as they are in force, compared on simulated truth, and replayed from the record."""

import argparse
from typing import TypeAlias

from ratchet import workloads
from ratchet.asking import at_least
from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it
WORKLOAD = "default: the first of the setting WORKLOADS"


def add_policy(commands: Commands) -> None:
    """Add `policy` to the command line."""
    actions = commands.add_parser("policy", help="rules that decide: show, compare, replay").add_subparsers(
        required=True, metavar="ACTION"
    )
    comparing = actions.add_parser("compare", help="what each rule does to simulated experiments whose truth is known")
    comparing.set_defaults(command=compare_rules)
    comparing.add_argument(
        "--runs", type=at_least(1), default=100, help="experiments per scenario (default: 100, about a minute)"
    )
    comparing.add_argument("--seed", type=at_least(0), default=1)
    showing = actions.add_parser("show", help="every parameter as it is in force here")
    showing.set_defaults(command=show)
    showing.add_argument("workload", nargs="?", help=WORKLOAD)
    replaying = actions.add_parser("replay", help="judge every recorded look again and name each byte that differs")
    replaying.set_defaults(command=replay)
    replaying.add_argument("workload", nargs="?", help=WORKLOAD)
    replaying.add_argument("--experiment", type=int, help="only this one")


def show(options: argparse.Namespace) -> str:
    """Return every parameter that is in force, and their digest."""
    from ratchet.decide import digest
    from ratchet.decide.records import to_json
    from ratchet.loop import Loop

    loop = Loop()
    policy = loop.policy(_workload(options, loop.settings))
    return f"{digest(policy)} {to_json(policy).decode()}"


def replay(options: argparse.Namespace) -> int:
    """Print what each experiment's replay gave; 1 if a byte differs."""
    from ratchet.loop import Loop

    loop = Loop()
    found = loop.replay(_workload(options, loop.settings), experiment=options.experiment)
    for one in found:
        old = f", {one.without_body} from before looks were kept whole" if one.without_body else ""
        said = f"{len(one.differences)} differ:" if one.differences else "every byte is reproduced"
        if one.earlier:
            said = f"{len(one.differences)} differ, {one.earlier} of them in looks that earlier rules judged:"
        print(f"experiment {one.experiment_id}: {one.looks} looks{old}; {said}")
        for difference in one.differences:
            print(f"  {difference}")
    if not found:
        raise RatchetError("there is no experiment to replay")
    return int(any(one.differences for one in found))


def compare_rules(options: argparse.Namespace) -> str:
    """Return what each rule does to experiments whose truth is known."""
    from ratchet.decide.simulation import RULES, SCENARIOS, compare, table

    return table(list(compare(SCENARIOS, RULES, runs=options.runs, seed=options.seed)))


def _workload(options: argparse.Namespace, settings: Settings) -> str:
    return workloads.find(options.workload or settings.workloads.split(",")[0]).name
