"""Passwords and signing keys of the embedded stack: made once, kept in one closed file."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


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
        return Secrets(**json.loads(path.read_text()))
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


def write_closed(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    temporary.replace(path)
