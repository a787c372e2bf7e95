"""Files that nobody has written to for long, such as the logs of tasks, go with the folders that they leave empty."""

import os
from contextlib import suppress
from pathlib import Path


def remove_old(folder: Path, *, before: float, ending: str = ".log") -> int:
    """Remove files last written before a moment, in seconds since 1970; how many. What was made or changed since stays, and every link.

    A folder goes only if it too is as old: somebody may just have made one to put a file into it.
    """
    removed, old = 0, list[Path]()
    for place, _, names in os.walk(folder):
        here = Path(place)
        with suppress(FileNotFoundError):
            if here != folder and here.stat().st_mtime < before:
                old.append(here)
        for path in (here / name for name in names if name.endswith(ending)):
            with suppress(FileNotFoundError):
                if not path.is_symlink() and path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
    for here in reversed(old):  # a folder's own folders were found after it
        with suppress(OSError):
            here.rmdir()
    return removed
