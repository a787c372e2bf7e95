"""An open loop: requests arrive when they arrive (Poisson), whether or not earlier ones have been answered.

`python open_loop.py ADDRESS "POST /path" KEY RATE SECONDS SEED` prints what it saw as JSON. A latency begins when the request is due, so
waiting for a free connection counts.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections import deque

import uvloop

CONNECTIONS = 64
IDS = [f"north/{number:05d}" for number in range(500)]


class Line(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, crowd):
        self.crowd, self.buffer, self.due = crowd, b"", None

    def connection_made(self, transport):
        self.transport = transport
        self.crowd.free(self)

    def ask(self, due):
        self.due = due
        self.transport.write(self.crowd.request())

    def data_received(self, data):
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        head = head.lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self.buffer = b""
            last = (
                b"connection: close" in head
            )  # as every client does: nginx ends a connection after a thousand requests
            ok = head.startswith(b"http/1.1 200")
            self.crowd.done(self, why="" if ok else f"{head[:40]!r} {body[:120]!r}", last=last)

    def connection_lost(self, error):
        if self.due is not None:
            self.crowd.whys.append(f"the connection ended: {error!r}, {self.buffer[:120]!r}")
        elif self in self.crowd.lines:  # the router ends a connection that says nothing for five seconds
            self.crowd.lines.remove(self)
            self.crowd.replace()


class Crowd:
    def __init__(self, host, port, what, key, seed):
        self.place, self.openings = (host, port), []
        self.random = random.Random(seed)
        self.head = f"{what} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nX-API-Key: {key}\r\n"
        self.lines, self.waiting, self.seconds, self.whys = [], deque(), [], []

    def request(self):
        body = json.dumps({"depot": self.random.choice(IDS), "target": "sent", "horizon": 12})
        user = f"user-{self.random.randrange(1000)}"
        return f"{self.head}X-User-Id: {user}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def free(self, line):
        if self.waiting:
            line.ask(self.waiting.popleft())
        else:
            self.lines.append(line)

    def done(self, line, *, why, last):
        self.seconds.append(time.perf_counter() - line.due)
        if why:
            self.whys.append(why)
        line.due = None
        if last:
            line.transport.close()
            self.replace()
        else:
            self.free(line)

    def replace(self):
        self.openings.append(asyncio.ensure_future(self.open()))

    async def open(self):
        await asyncio.get_running_loop().create_connection(lambda: Line(self), *self.place)

    def arrive(self):
        now = time.perf_counter()
        if self.lines:
            self.lines.pop().ask(now)
        else:
            self.waiting.append(now)


async def run(address, what, key, rate, seconds, seed):
    host, _, port = address.removeprefix("http://").partition(":")
    crowd = Crowd(host, int(port), what, key, seed)
    for _ in range(CONNECTIONS):
        await crowd.open()
    begin = due = time.perf_counter()
    sent = 0
    while due < begin + seconds:
        due += crowd.random.expovariate(rate)
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        crowd.arrive()
        sent += 1
        if sent % 50 == 0:
            await asyncio.sleep(0)
    while len(crowd.seconds) + len(crowd.whys) < sent and time.perf_counter() < begin + seconds + 20:  # noqa: ASYNC110  # simpler than an event
        await asyncio.sleep(0.05)
    took = sorted(crowd.seconds)
    return {
        "sent": sent,
        "failed": len(crowd.whys) + max(0, sent - len(took) - len(crowd.whys)),
        "whys": crowd.whys[:3],
        "p50_ms": 1000 * took[len(took) // 2],
        "p99_ms": 1000 * took[len(took) * 99 // 100],
    }


if __name__ == "__main__":
    with contextlib.suppress(
        PermissionError
    ):  # it shares its core with PostgreSQL, and its own waiting is not the server's
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    address, what, key, rate, seconds, seed = sys.argv[1:]
    print(json.dumps(uvloop.run(run(address, what, key, float(rate), float(seconds), int(seed)))))
