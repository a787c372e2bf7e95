"""`make env`: a `.env` with secrets of this installation's own, for compose. What is there already stays as it is.

A host that only runs containers has Python and nothing of ours installed: all that is imported here comes with Python.
"""

import base64
import secrets
import sys
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import RatchetError
from ratchet.stack.secrets import write_closed

_UNCHANGED: Final = "changeme"
_HEAD: Final = "# Written by `make env`; .env.example explains each."


def main() -> str:
    """Complete the `.env` of this folder; what was done."""
    made = write(Path(".env"))
    return f"new in .env: {', '.join(made)}" if made else ".env has every secret already; nothing was changed"


def write(path: Path) -> list[str]:
    """Give every secret that is missing, empty or `changeme` in the file a new value; the names of those that were given one."""
    lines = _lines(path) if path.exists() else [_HEAD]
    known = dict(map(_read, lines))
    made = {name: value for name, value in new_secrets().items() if known.get(name, "") in ("", _UNCHANGED)}
    kept = [line for line in lines if _read(line)[0] not in made]
    write_closed(path, "\n".join([*kept, *(f"{name}={value}" for name, value in made.items()), ""]))
    return list(made)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RatchetError(
            f"{path} cannot be read: it is not UTF-8 (byte {error.start + 1}); save it as UTF-8"
        ) from error


def _read(line: str) -> tuple[str, str]:
    """A line's name and value, as compose reads them: without quotes, and without a comment behind."""
    name, _, value = line.partition("=")
    value = value.strip()
    is_quoted = value[:1] in ("'", '"')
    plain = value[1:].partition(value[0])[0] if is_quoted else value.partition(" #")[0].strip()
    return name.strip().removeprefix("export ").strip(), plain


def new_secrets() -> dict[str, str]:
    """A fresh value for each secret that containers demand."""
    passwords = ("POSTGRES_PASSWORD", "AIRFLOW_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD")
    keys = ("PREDICTION_SECRET", "AIRFLOW_SECRET_KEY")
    return {
        **{name: secrets.token_urlsafe(32) for name in (*passwords, *keys)},
        "AIRFLOW_JWT_SECRET": secrets.token_urlsafe(64),  # what SHA-512 asks for
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SPLIT_SALT": secrets.token_hex(4),
    }


if __name__ == "__main__":
    try:
        print(main())
    except RatchetError as error:
        sys.exit(f"ratchet: {error}")
