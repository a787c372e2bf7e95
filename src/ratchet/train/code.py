"""Which code trained a release."""

import hashlib
from importlib.metadata import version
from pathlib import Path


def code_version() -> str:
    """The version of the code that shapes a release: its number and a digest of the sources that train it."""
    digest = hashlib.blake2b(digest_size=4)
    here = Path(__file__).parents[1]
    alone = [here / name for name in ("blocks.py", "scores.py", "posted.py", "recent.py", "reference.py")]
    for path in sorted([*here.glob("forecasters/*.py"), *here.glob("train/*.py"), *alone]):
        digest.update(path.read_bytes())
    return f"{version('ratchet')}+{digest.hexdigest()}"
