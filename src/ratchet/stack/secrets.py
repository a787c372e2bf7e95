"""Passwords and signing keys of the embedded stack: made once, kept in one closed file."""

import base64
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import RatchetError

MEND: Final = (
    "put a copy of it back (PREDICTION_SECRET and, in DATABASE_URL, postgres_password stand in stack.env beside it too), "
    "or `make clean` and begin anew"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What the parts of the stack trust each other by."""

    postgres_password: str
    prediction_secret: str
    airflow_password: str
    airflow_jwt_secret: str
    airflow_fernet_key: str
    airflow_secret_key: str
    split_salt: str


def load(path: Path) -> Secrets:
    """The secrets of this home, made on the first call; the file is readable by its owner only."""
    if path.exists():
        return Secrets(**read_closed(path, Secrets.__slots__, mend=MEND))
    made = Secrets(
        postgres_password=secrets.token_urlsafe(24),
        prediction_secret=secrets.token_urlsafe(32),
        airflow_password=secrets.token_urlsafe(12),
        airflow_jwt_secret=secrets.token_urlsafe(64),
        airflow_fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        airflow_secret_key=secrets.token_urlsafe(32),
        split_salt=secrets.token_hex(4),
    )
    write_closed(path, json.dumps(asdict(made), indent=1))
    return made


def read_closed(path: Path, names: Sequence[str], *, mend: str) -> dict[str, str]:
    """What `write_closed` was given as JSON: exactly these names, each with some text; else a `RatchetError` that says how to mend it."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise RatchetError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RatchetError(f"{path} is damaged (it is not whole JSON): {mend}") from error
    if not isinstance(found, dict) or any(not isinstance(found.get(name), str) or not found[name] for name in names):
        raise RatchetError(f"{path} is damaged (it has to hold {', '.join(names)} as text): {mend}")
    return {name: found[name] for name in names}


def write_closed(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)
