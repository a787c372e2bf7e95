"""Where on this machine something is, as people write it."""

from pathlib import Path

from ratchet.contracts.errors import DataError


def on_this_machine(place: str | Path) -> Path:
    """Read a path that may begin with `~` or `~name`, somebody's home; a `DataError` where nobody here is called so."""
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise DataError(f"`{place}`: nobody here is called so, `~/…` is your own home") from error
