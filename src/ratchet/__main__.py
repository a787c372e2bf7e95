"""The loop and its stack from a shell: `ratchet --help`."""

import argparse
import getpass
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pydantic import ValidationError

from ratchet import workloads
from ratchet.asking import at_least, read
from ratchet.backtest_command import add_backtest
from ratchet.contracts.errors import RatchetError
from ratchet.forecast_command import add_forecast
from ratchet.ingest_command import add_ingest
from ratchet.keys_command import add_keys
from ratchet.policy_command import add_policy
from ratchet.reading import as_lines, while_read
from ratchet.rehearse_command import add_rehearse
from ratchet.release_command import add_releases
from ratchet.settings import Settings
from ratchet.stack.trouble import in_a_line
from ratchet.train_command import add_train

Command = Callable[[argparse.Namespace], Any]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it

ORDERS = {
    "promote": "have the candidate take over now",
    "rollback": "take the candidate off, or a promotion back while it is watched",
    "revert": "bring back the release that the last promotion beat",
    "hold": "let nothing be promoted until `clear`",
    "clear": "end a hold, also one that the split's health caused",
    "approve": "let a promotion that waits for approval go on",
    "deny": "refuse a promotion that waits for approval: production stays",
}

POSITIONAL = {
    "workload": "default: the first of the setting WORKLOADS",
    "service": "its name, as `ratchet status` shows it",
}


@while_read
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it worked, 1 with one clear line if it did not."""
    options = read(_parser(), sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=options.logs, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    for chatty in ("httpx", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # a line per request or client is no news
    # Nor is one per try: who is away is said once, at the end.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    try:
        result = options.command(options)
    except (ValidationError, RatchetError, ModuleNotFoundError, OSError, KeyboardInterrupt) as problem:
        if not (said := in_a_line(problem)):
            raise
        print(f"ratchet: {said}", file=sys.stderr)
        return 130 if isinstance(problem, KeyboardInterrupt) else 1
    if isinstance(result, int):
        return result
    if result is not None:
        print(as_lines(result) if isinstance(result, dict) else result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ratchet", description="Trains forecasters, tries each on live traffic, promotes on evidence."
    )
    parser.set_defaults(logs=logging.INFO)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_stack(commands)
    _add_loop(commands)
    add_policy(commands)
    add_rehearse(commands)
    add_keys(commands)
    return parser


def _add_stack(commands: Commands) -> None:
    _add(commands, "up", "start the whole loop on this machine", _up)
    _add(commands, "status", "what runs where", _status)
    _add(commands, "down", "stop it; data stays", _down)
    what = "a service's newest log lines and what comes; into a pipe or a file all there is, then it ends"
    logs = _add(commands, "logs", what, _logs, ("service",))
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what comes into a pipe or a file too")
    _add(commands, "restart", "restart one service", _restart, ("service",))
    clean = _add(commands, "clean", "stop it and delete all local state, after asking", _clean)
    clean.add_argument("--yes", action="store_true", help="do not ask")
    _add(commands, "env", "a .env with secrets of your own, for containers; what is there stays", _env)
    _add(commands, "doctor", "check every setting, port, credential and version, and say what to do", _doctor)
    traffic = _add(
        commands,
        "traffic",
        "send simulated users for a while, then judge the experiment by the policy and by the plain rule",
        _traffic,
    )
    traffic.add_argument("--seconds", type=float, default=150.0, help="how long (default: 150)")
    traffic.add_argument("--rate", type=float, default=20.0, help="forecasts per second (default: 20)")
    traffic.add_argument("--seed", type=at_least(0), default=7, help="another one, other users (default: 7)")


def _add_loop(commands: Commands) -> None:
    _add(commands, "migrate", "bring database `ratchet` to this version's tables", _migrate, is_answer=True)
    add_ingest(commands)
    add_forecast(commands)
    _add(commands, "reports", "serve ingest's metrics and quality reports on REPORTS_PORT", _reports)
    _add(commands, "docs", "write dbt's documentation of silver and gold, with lineage", _docs, ("workload",))
    add_train(commands)
    add_backtest(commands)
    what = "issue the live releases again from the newest gold"
    _add(commands, "refresh", what, _refresh, ("workload",), is_answer=True)
    evaluate = _add(
        commands, "evaluate", "look at the open experiment now: observe, decide, act", _evaluate, ("workload",)
    )
    evaluate.add_argument(
        "--mode", default="", help="judge this one look by another rule: spec, spec_guarded, evidence"
    )
    guard = _add(commands, "guard", "judge the guardrails of every workload each minute, until stopped", _guard)
    guard.add_argument("--once", action="store_true", help="one round, then stop")
    what = "look for drift now, beside what production learnt from"
    drift = _add(commands, "drift", what, _drift, ("workload",), is_answer=True)
    drift.add_argument("--fresh", action="store_true", help="pass over recent data that the tracking server has kept")
    add_releases(commands)
    for kind, what in ORDERS.items():
        by_hand = _add(commands, kind, what, _by_hand(kind), ("workload",))
        by_hand.add_argument("--why", required=True, help="kept with the verdict")


def _add(
    commands: Commands,
    name: str,
    what: str,
    command: Command,
    positional: Sequence[str] = (),
    *,
    is_answer: bool = False,
) -> argparse.ArgumentParser:
    """Add a command; of one that says at its end all that it did, only warnings come before."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
    for argument in positional:
        parser.add_argument(argument, nargs="?" if argument == "workload" else None, help=POSITIONAL[argument])
    parser.set_defaults(command=command, **({"logs": logging.WARNING} if is_answer else {}))
    return parser


def _workload(options: argparse.Namespace, settings: Settings) -> str:
    return workloads.find(options.workload or settings.workloads.split(",")[0]).name


def _person() -> str:
    """Who asks, for the record: a user that the system has no name for, as a container may have, is its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _up(_: argparse.Namespace) -> None:
    from ratchet.stack.up import up

    up(Settings())


def _status(_: argparse.Namespace) -> int:
    from ratchet.stack import commands

    return commands.status(Settings())


def _down(_: argparse.Namespace) -> None:
    from ratchet.stack import commands

    commands.down(Settings())


def _logs(options: argparse.Namespace) -> None:
    from ratchet.stack import commands

    commands.logs(Settings(), options.service, follow=options.follow)


def _restart(options: argparse.Namespace) -> None:
    from ratchet.stack import commands

    commands.restart(Settings(), options.service)


def _clean(options: argparse.Namespace) -> None:
    from ratchet.stack import commands

    commands.clean(Settings(), yes=options.yes)


def _env(_: argparse.Namespace) -> str:
    from ratchet.stack import env_file

    return env_file.main()


def _doctor(_: argparse.Namespace) -> int:
    from ratchet.stack.doctor import run

    return run()


def _traffic(options: argparse.Namespace) -> None:
    from ratchet.stack import traffic

    traffic.run(Settings(), seconds=options.seconds, rate=options.rate, seed=options.seed)


def _migrate(_: argparse.Namespace) -> str:
    from ratchet.migrations import migrate

    migrate(Settings.load().database)
    return "database `ratchet` has the tables of this version"


def _docs(options: argparse.Namespace) -> str:
    from ratchet.loop import Loop

    loop = Loop()
    return str(loop.write_docs(_workload(options, loop.settings)))


def _reports(_: argparse.Namespace) -> None:
    from ratchet.observe.gold_reports import serve

    settings = Settings.load()
    serve(settings.home, host=settings.bind, port=settings.reports_port)


def _refresh(options: argparse.Namespace) -> str:
    from ratchet.loop import Loop

    loop = Loop()
    issued = loop.refresh(_workload(options, loop.settings))
    return "\n".join(f"{release_id}: issue {number}" for release_id, number in issued.items()) or "nothing was due"


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from ratchet.loop import Loop

    loop = Loop()
    return loop.evaluate(_workload(options, loop.settings), actor=_person(), mode=options.mode)


def _guard(options: argparse.Namespace) -> int:
    from ratchet.guard import guard

    return guard(Settings.load(), once=options.once)


def _drift(options: argparse.Namespace) -> dict[str, Any]:
    from ratchet.loop import Loop

    loop = Loop()
    found = loop.look_for_drift(_workload(options, loop.settings), fresh=options.fresh)
    return {**found.pop("features"), "asks for a candidate": found.pop("asks"), **found}


def _by_hand(kind: str) -> Command:
    def command(options: argparse.Namespace) -> dict[str, Any]:
        from ratchet.contracts.look import OrderKind
        from ratchet.loop import Loop

        loop = Loop()
        return loop.order(_workload(options, loop.settings), OrderKind(kind), who=_person(), why=options.why)

    return command


if __name__ == "__main__":
    sys.exit(main())
