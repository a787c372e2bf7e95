"""`make env`: a `.env` with secrets of this installation's own, for compose. What is there already stays as it is."""

from pathlib import Path

from ratchet.settings import UNCHANGED
from ratchet.stack.container_settings import new_secrets
from ratchet.stack.secrets import write_closed


def write(path: Path) -> list[str]:
    """Give every secret that is missing, empty or `changeme` in the file a new value; the names of those that were given one."""
    lines = path.read_text().splitlines() if path.exists() else ["# Written by `make env`; .env.example explains each."]
    known = {line.partition("=")[0].strip(): line.partition("=")[2].strip() for line in lines if "=" in line}
    made = {
        name.upper(): value for name, value in new_secrets().items() if known.get(name.upper(), "") in ("", UNCHANGED)
    }
    kept = [line for line in lines if line.partition("=")[0].strip() not in made]
    write_closed(path, "\n".join([*kept, *(f"{name}={value}" for name, value in made.items()), ""]))
    return list(made)
