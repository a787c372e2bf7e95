"""The served application with a wall clock that jumps by as many seconds as the file JUMPS says; monotonic clocks do not jump.

libfaketime would do it for the whole process, and breaks Python's `time.sleep` (clock_nanosleep with an absolute time).
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from inference import wsgi
from inference.wsgi import application

JUMPS = Path(os.environ["JUMPS"])
real, real_ns, Service = time.time, time.time_ns, wsgi.Service


def jump():
    return float(JUMPS.read_text() or 0)


time.time = lambda: real() + jump()
time.time_ns = lambda: real_ns() + int(jump() * 1e9)
wsgi.Service = lambda **given: Service(**given | {"clock": lambda: datetime.fromtimestamp(time.time(), UTC)})

__all__ = ["application"]
