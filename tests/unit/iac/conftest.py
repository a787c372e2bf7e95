import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def declared():
    """Every resource of a stack of each size, by type and name. In a process of its own: Pulumi leaves event loops behind."""
    command = [sys.executable, str(Path(__file__).with_name("declare.py"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(params=["small", "medium", "large"])
def cloud(request, declared):
    return declared[request.param]
