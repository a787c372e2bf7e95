"""What stands in for dbt's program where a server (`dbt_server`) has loaded dbt: it gives all that is its own to the server's fork.

It ends as that fork ends, and imports little: it is started for each build.
"""

import json
import os
import signal
import socket
import sys


def main(address: str, words: list[str]) -> int:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"\n"], [0, 1, 2])
        server.sendall(json.dumps([os.getcwd(), dict(os.environ), words]).encode() + b"\n")  # noqa: PTH109  # pathlib takes its time
        ended = server.recv(1)
    if not ended:
        os.kill(os.getpid(), signal.SIGKILL)
    return ended[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
