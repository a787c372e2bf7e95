"""`ratchet policy`: the rules that decide, as they are in force, compared on simulated truth, and replayed from the record."""

import argparse
import json
from typing import TypeAlias

from ratchet import workloads
from ratchet.asking import at_least
from ratchet.contracts.errors import RatchetError
from ratchet.reading import as_lines
from ratchet.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it
WORKLOAD = "default: the first of the setting WORKLOADS"


def add_policy(commands: Commands) -> None:
    """Add `policy` to the command line."""
    what = "rules that decide: show, compare, replay"
    actions = commands.add_parser("policy", help=what, description=what).add_subparsers(required=True, metavar="ACTION")
    what = "what each rule does to simulated experiments whose truth is known"
    comparing = actions.add_parser("compare", help=what, description=what)
    comparing.set_defaults(command=compare_rules)
    comparing.add_argument(
        "--runs", type=at_least(1), default=100, help="experiments per scenario (default: 100, about a minute)"
    )
    comparing.add_argument("--seed", type=at_least(0), default=1, help="another one, other experiments (default: 1)")
    what = "every parameter as it is in force here"
    showing = actions.add_parser("show", help=what, description=what)
    showing.set_defaults(command=show)
    showing.add_argument("workload", nargs="?", help=WORKLOAD)
    what = "judge every recorded look again and name each byte that differs"
    replaying = actions.add_parser("replay", help=what, description=what)
    replaying.set_defaults(command=replay)
    replaying.add_argument("workload", nargs="?", help=WORKLOAD)
    replaying.add_argument("--experiment", type=int, help="only this one")


def show(options: argparse.Namespace) -> str:
    """Return the digest of the policy in force, then each parameter with its value as POLICY takes it."""
    from ratchet.decide import digest
    from ratchet.decide.records import to_json
    from ratchet.loop import Loop

    loop = Loop()
    policy = loop.policy(_workload(options, loop.settings))
    values = {name: json.dumps(value) for name, value in json.loads(to_json(policy)).items()}
    return as_lines({"digest": digest(policy), **values})


def replay(options: argparse.Namespace) -> int:
    """Print what each experiment's replay gave; 1 if a byte differs."""
    from ratchet.loop import Loop

    loop = Loop()
    workload = _workload(options, loop.settings)
    found = loop.replay(workload, experiment=options.experiment)
    for one in found:
        old = f", {one.without_body} from before looks were kept whole" if one.without_body else ""
        said = f"{len(one.differences)} differ:" if one.differences else "every byte is reproduced"
        if one.earlier:
            said = f"{len(one.differences)} differ, {one.earlier} of them in looks that earlier rules judged:"
        print(f"experiment {one.experiment_id}: {one.looks} looks{old}; {said}")
        for difference in one.differences:
            print(f"  {difference}")
    if not found:
        which = "experiment" if options.experiment is None else f"experiment {options.experiment}"
        raise RatchetError(f"there is no {which} of {workload} to replay")
    return int(any(one.differences for one in found))


def compare_rules(options: argparse.Namespace) -> str:
    """Return what each rule does to experiments whose truth is known."""
    from ratchet.decide.simulation import RULES, SCENARIOS, compare, table

    return table(list(compare(SCENARIOS, RULES, runs=options.runs, seed=options.seed)))


def _workload(options: argparse.Namespace, settings: Settings) -> str:
    return workloads.find(options.workload or settings.workloads.split(",")[0]).name
