"""The real nginx of an embedded stack, with two tiny tracks behind it that a test can make ill."""

import http.client
import http.server
import json
import socket
import socketserver
import threading
import time
from pathlib import Path

PREDICT = "/api/parcels/predict"
TOLD = ("X-Client-Key", "X-Assigned-Track", "X-Replay", "X-Forwarded-For")
MASK = 0xFFFFFFFF


def murmur2(data):
    """MurmurHash2 with seed 0, as nginx hashes the key of a split."""
    value = len(data) & MASK
    while len(data) >= 4:
        word = int.from_bytes(data[:4], "little") * 0x5BD1E995 & MASK
        word = (word ^ word >> 24) * 0x5BD1E995 & MASK
        value = (value * 0x5BD1E995 & MASK) ^ word
        data = data[4:]
    if data:
        value = (value ^ int.from_bytes(data, "little")) * 0x5BD1E995 & MASK
    value = (value ^ value >> 13) * 0x5BD1E995 & MASK
    return value ^ value >> 15


class SocketServer(http.server.ThreadingHTTPServer):
    """An HTTP server where the router of an embedded stack looks for a track."""

    address_family = socket.AF_UNIX

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # http.server's own asks for a host's name
        Path(self.server_address).chmod(0o777)

    def server_close(self):
        super().server_close()
        Path(self.server_address).unlink()


class Tiny:
    """A track that says who it is and what the router told it; it can hang."""

    def __init__(self, name, place):
        self.name, self.place, self.hangs = name, place, threading.Event()
        self.drops, self.status, self.status_of_others = 0, 200, 200
        self.request_ids = []
        self.server = None

    def start(self):
        tiny = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer leaves in one packet

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                tiny.request_ids.append(self.headers["X-Request-ID"])
                if tiny.hangs.is_set():
                    time.sleep(4)  # whoever asked has gone
                    self.close_connection = True
                    return
                if tiny.drops:
                    tiny.drops -= 1
                    self.close_connection = True
                    return
                told = {name: self.headers.get(name) for name in TOLD}
                body = json.dumps({"track": tiny.name, **told}).encode()
                self.send_response(tiny.status if self.path == PREDICT else tiny.status_of_others)
                if "X-Track" in self.headers:
                    self.send_header("X-Accel-Redirect", f"@{self.headers['X-Track']}")
                self.send_header("X-Track", tiny.name)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815  # its name is http.server's

            def log_message(self, *_):
                pass

        self.server = SocketServer(str(self.place), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class House:
    """The router and its two tracks."""

    def __init__(self, rig):
        self.rig, self.port, self.clients = rig, rig.stack.settings.router_port, []
        self.tracks = {name: Tiny(name, rig.stack.home.track_socket(name)) for name in ("production", "candidate")}

    def client(self):
        self.clients.append(http.client.HTTPConnection("127.0.0.1", self.port, timeout=15))
        return self.clients[-1]

    def ask(self, client, *, path=PREDICT, method="POST", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, b"{}" if method == "POST" else None, named)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()

    def track_of(self, client, **headers):
        status, _, body = self.ask(client, **headers)
        assert status == 200
        return json.loads(body)["track"]

    def predicted(self, client_key, percent, salt=0):
        letters = "".join(letter for bit, letter in zip((1, 2, 4, 8), "abcd", strict=True) if salt & bit)
        hashed = murmur2(f"{self.rig.stack.secrets.split_salt}{letters}:{client_key}".encode())
        return "candidate" if hashed < percent * 100 * MASK // 10000 else "production"
