"""Places for contract suites: a folder and a bucket of a real S3 endpoint, and a way to die at any step of what is done there."""

import json
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import boto3

from ratchet.ingest import open_place, partition

WRITES = ("put", "replace", "delete")


def bytes_at(place):
    """Every file there with its content."""
    return {name: place.read(name)[0] for name in place.listing()}


def spoil(place, name, content):
    """Have other bytes there, as a hand would."""
    if place.location.startswith("s3://"):
        address = urlsplit(place.location)
        boto3.client("s3").put_object(Bucket=address.netloc, Key=f"{address.path.strip('/')}/{name}", Body=content)
    else:
        (place._folder / name).write_bytes(content)


def die_before_write(number, places):
    """Make the write of this number, counted over all calls in this process, the end of the process."""
    done = []

    def counting(whole):
        def write(*arguments, **named):
            done.append(1)
            if len(done) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*arguments, **named)

        return write

    for owner, name in [*((kind, name) for kind in places for name in WRITES), (partition, "point")]:
        setattr(owner, name, counting(getattr(owner, name)))


PRELUDE = """
import json, os, sys, traceback
from places import die_before_write, opened
from ratchet.bucket import Bucket
from ratchet.ingest.place import Folder
"""
FORKING = """
for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            die_before_write(int(line), (Bucket, Folder))
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def killed(script, *words):
    """Run a script's `act` until the first, the second, … write: the write's number and whether it was the end, until one is not."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{PRELUDE}{script}{FORKING}", json.dumps(words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        for number in range(1, 100):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            assert status in {0, signal.SIGKILL}
            yield number, status != 0
            if status == 0:
                break
        process.stdin.close()
    assert process.returncode == 0


def opened(location):
    """The place at this address."""
    return open_place(location)
