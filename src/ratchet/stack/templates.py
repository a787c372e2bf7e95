"""Configuration files made from templates: `${NAME}` is ours, a plain `$name` belongs to the program that reads the file."""

import re
from collections.abc import Mapping
from pathlib import Path

from ratchet.contracts.errors import RatchetError

_PLACE = re.compile(r"\$\{([A-Z_]+)\}")


def render(template: Path, values: Mapping[str, str], target: Path, *, mode: int = 0o644) -> Path:
    """Write `template` with every `${NAME}` filled in; a name without a value is an error, never an empty string."""
    text = template.read_text()
    missing = sorted(set(_PLACE.findall(text)) - set(values))
    if missing:
        raise RatchetError(f"{template.name} needs {', '.join(missing)}")
    target.touch(mode=mode)
    target.chmod(mode)  # one that is there already may have another
    target.write_text(_PLACE.sub(lambda place: values[place.group(1)], text))
    return target
