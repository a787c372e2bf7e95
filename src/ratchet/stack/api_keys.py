"""The two API keys that a home makes for itself: one to predict with, one to operate with."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ratchet.contracts.errors import RatchetError
from ratchet.stack.paths import ROOT, Home
from ratchet.stack.secrets import read_closed, write_closed

_MEND: Final = "delete it, and `make up` makes two new keys; `ratchet keys list` and `revoke` end the old ones"


@dataclass(frozen=True, slots=True)
class Keys:
    """The two API keys of a home, kept in a file that only its owner may read; the database has their digests."""

    predict: str
    operate: str
    fresh: bool


def of_home(home: Home, environment: Mapping[str, str]) -> Keys:
    """The home's two API keys, made on the first run."""
    path = home.api_keys
    if path.exists():
        return Keys(**read_closed(path, ("predict", "operate"), mend=_MEND), fresh=False)
    made = {
        name: _add(name, scopes, environment)
        for name, scopes in (("predict", "predict"), ("operate", "predict,operate"))
    }
    write_closed(path, json.dumps(made))
    return Keys(**made, fresh=True)


def _add(name: str, scopes: str, environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "ratchet", "keys", "add", name, "--scopes", scopes]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RatchetError(f"no API key could be made: {done.stderr.strip()}")
    return done.stdout.strip().splitlines()[-1]
