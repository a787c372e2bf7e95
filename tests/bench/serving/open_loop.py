"""An open loop: requests arrive when they arrive (Poisson), whether or not earlier ones have been answered.

`python open_loop.py ADDRESS "POST /path" KEY RATE SECONDS SEED` prints what it saw as JSON. A latency begins when the request is due, so
waiting for a free connection counts. It waits with `select`, for the timers of event loops are of whole milliseconds: arrivals would come
in clumps; and it does not spin, for who never sleeps is made to wait for PostgreSQL, which has the same core.
"""

import contextlib
import json
import os
import random
import select
import socket
import sys
import time
from collections import deque

CONNECTIONS = 64
PATIENCE_SECONDS = 20
IDS = [f"north/{number:05d}" for number in range(500)]


class Line:
    """One keep-alive connection, one request at a time."""

    def __init__(self, place):
        self.buffer, self.due = b"", None
        self.socket = socket.create_connection(place)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)

    def ask(self, request, due):
        self.due = due
        with contextlib.suppress(OSError):  # an ended connection is met when it is read
            self.socket.send(request)

    def read(self):
        """Return (head, body) once an answer is whole; `EOFError` at the end of the connection."""
        try:
            said = self.socket.recv(1 << 16)
        except BlockingIOError:
            return None
        except OSError as error:
            raise EOFError(repr(error)) from error
        if not said:
            raise EOFError("closed")
        self.buffer += said
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            return None
        self.buffer = b""
        return head.lower(), body


class Crowd:
    def __init__(self, host, port, what, key, seed):
        self.place, self.random, self.poll = (host, port), random.Random(seed), select.epoll()
        self.lines, self.idle, self.waiting, self.seconds, self.whys = {}, [], deque(), [], []
        self.again = set()
        head = f"{what} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nX-API-Key: {key}\r\n"
        self.requests = [self.request(head) for _ in range(2000)]
        for _ in range(CONNECTIONS):
            self.open()

    def request(self, head):
        body = json.dumps({"depot": self.random.choice(IDS), "target": "sent", "horizon": 12})
        user = f"user-{self.random.randrange(1000)}"
        return f"{head}X-User-Id: {user}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def open(self):
        line = Line(self.place)
        self.lines[line.socket.fileno()] = line
        self.poll.register(line.socket, select.EPOLLIN)
        self.free(line)

    def free(self, line):
        if self.waiting:
            line.ask(self.random.choice(self.requests), self.waiting.popleft())
        else:
            line.due = None
            self.idle.append(line)

    def arrive(self, due):
        self.waiting.append(due)
        if self.idle:
            self.free(self.idle.pop())

    def end(self, line):
        """As every client does: nginx ends a new connection that says nothing for five seconds."""
        del self.lines[line.socket.fileno()]
        if line in self.idle:
            self.idle.remove(line)
        line.socket.close()
        self.open()

    def ended(self, line, error):
        """What crosses with the end of an idle connection is asked again, once, as every client does; its latency goes on."""
        if line.buffer or line.due in self.again:
            self.whys.append(f"the connection ended: {error}, {line.buffer[:120]!r}")
        else:
            self.again.add(line.due)
            self.waiting.appendleft(line.due)

    def listen(self, seconds):
        select.select([self.poll], [], [], seconds)
        for number, _ in self.poll.poll(0):
            line = self.lines.get(number)
            if line is None:
                continue
            try:
                answer = line.read()
            except EOFError as error:
                if line.due is not None:
                    self.ended(line, error)
                self.end(line)
                continue
            if answer is not None:
                self.seconds.append(time.perf_counter() - line.due)
                head, body = answer
                if not head.startswith(b"http/1.1 200"):
                    self.whys.append(f"{head[:40]!r} {body[:120]!r}")
                if b"connection: close" in head:
                    self.end(line)
                else:
                    self.free(line)


def run(address, what, key, rate, seconds, seed):
    host, _, port = address.removeprefix("http://").partition(":")
    crowd = Crowd(host, int(port), what, key, seed)
    now = begin = time.perf_counter()
    due, sent = begin + crowd.random.expovariate(rate), 0
    while due < begin + seconds or (
        len(crowd.seconds) + len(crowd.whys) < sent and now < begin + seconds + PATIENCE_SECONDS
    ):
        now = time.perf_counter()
        while due <= now and due < begin + seconds:
            crowd.arrive(due)
            sent += 1
            due += crowd.random.expovariate(rate)
        crowd.listen(max(0.0, min(due - time.perf_counter(), 0.1)))
    took = sorted(crowd.seconds)
    return {
        "sent": sent,
        "per_second": len(took) / (time.perf_counter() - begin),
        "failed": len(crowd.whys) + max(0, sent - len(took) - len(crowd.whys)),
        "again": len(crowd.again),
        "whys": crowd.whys[:3],
        "p50_ms": 1000 * took[len(took) // 2],
        "p99_ms": 1000 * took[len(took) * 99 // 100],
    }


if __name__ == "__main__":
    with contextlib.suppress(
        PermissionError
    ):  # PostgreSQL has the same core; the client's own waiting is not the server's
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    address, what, key, rate, seconds, seed = sys.argv[1:]
    print(json.dumps(run(address, what, key, float(rate), float(seconds), int(seed))))
