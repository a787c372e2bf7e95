"""`python -m ratchet.stack.check_router` asks nginx whether it accepts the configuration that the template makes."""

import subprocess
import sys
import tempfile
from pathlib import Path

from ratchet.settings import Settings
from ratchet.stack.paths import Home
from ratchet.stack.secrets import load
from ratchet.stack.services import Stack, tool
from ratchet.stack.unprivileged import hand_over


def main() -> int:
    """0 if `nginx -t` is content; its own words if it is not."""
    with tempfile.TemporaryDirectory(prefix="a folder with spaces ") as folder:
        home = Home(Path(folder))
        home.prepare()
        Stack(settings=Settings(_env_file=None), secrets=load(home.secrets), home=home).write_configuration()
        run = home.run / "router"
        hand_over(run)
        done = subprocess.run(
            [tool("nginx"), "-t", "-p", str(run), "-c", str(run / "nginx.conf")],
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
