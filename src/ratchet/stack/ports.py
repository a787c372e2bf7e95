"""Ports of this machine: which are free, which are taken and by whom."""

import random
import socket
from contextlib import suppress

import psutil

# Below the range from which systems draw ports for outgoing connections: a port from there may be gone while its service restarts.
_FROM, _TO = 12_000, 30_000
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on now; another one each time, for who asks for several listens later."""
    while (port := random.randrange(_FROM, _TO)) in _given or is_taken(port):  # noqa: S311  # no secret
        pass
    _given.add(port)
    return port


def is_taken(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether binding the port would fail."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def holder(port: int) -> str:
    """Who listens on a port, as a person would look for it: `nginx (pid 812)`; `another process` where it cannot be seen."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "another process"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            with suppress(psutil.Error):  # it has just ended
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"
