"""`ratchet keys`: API keys are made, listed and ended."""

import argparse
from typing import TypeAlias

from ratchet.asking import names
from ratchet.contracts.errors import RatchetError
from ratchet.reading import as_table
from ratchet.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # argparse has no public name for it


def add_keys(commands: Commands) -> None:
    """Add `keys` to the command line."""
    what = "API keys: add, list, revoke"
    actions = commands.add_parser("keys", help=what, description=what).add_subparsers(required=True, metavar="ACTION")
    what = "make a key and print it, once"
    making = actions.add_parser("add", help=what, description=what)
    making.set_defaults(command=add)
    making.add_argument("name", help="whose it is; shown by `ratchet keys list`")
    making.add_argument("--scopes", default="predict", help="predict, operate, or both separated by a comma")
    what = "every key's id, name, scopes and state"
    listing = actions.add_parser("list", help=what, description=what)
    listing.set_defaults(command=list_all)
    what = "end a key; effective within 10 s"
    ending = actions.add_parser("revoke", help=what, description=what)
    ending.set_defaults(command=revoke)
    ending.add_argument("key_id", help="its id, as `ratchet keys list` shows it, or the key itself")


def add(options: argparse.Namespace) -> str:
    """Make a key and return it: nobody can read it again."""
    from ratchet.serve.keys import add_key

    return add_key(Settings.load().database, options.name, names(options.scopes))


def list_all(_: argparse.Namespace) -> str:
    """One line per key, those that were ended too."""
    from ratchet.serve.keys import list_keys

    keys = list_keys(Settings.load().database)
    rows = [("id", "name", "scopes", "made", "revoked")]
    for key in keys:
        made, revoked = (f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (key.created_at, key.revoked_at))
        rows.append((key.key_id, key.name, ",".join(key.scopes), made, revoked))
    return as_table(rows) if keys else "no key was ever made: `ratchet keys add NAME`"


def revoke(options: argparse.Namespace) -> str:
    """End a key and say so, without the key; a `RatchetError` if no such key is valid."""
    from ratchet.serve.keys import id_of, revoke_key

    key_id = id_of(options.key_id)
    if not revoke_key(Settings.load().database, key_id):
        raise RatchetError(f"no key that is valid has the id {key_id}: see `ratchet keys list`")
    return f"{key_id} is revoked: refused everywhere within 10 s"
