"""A small HTTP endpoint beside the data: what Prometheus scrapes of ingest, and the quality reports as pages.

It reads what builds left on disk, so it tells of them also while none runs; the data's age grows until gold moves again.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "quality"
_PAGE: Final = re.compile(r"/quality/([a-z0-9_]+)/([A-Za-z0-9-]+)")
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_INDEX: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ratchet: quality of gold</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }}
  h1 {{ font-size: 1.5rem }}
</style>
<h1>Quality of gold</h1>
<p>What was checked before gold moved, or stayed; the newest first.</p>
<ul>
{listed}
</ul>
</html>
"""


def address(host: str, port: int, workload: str, partition: str) -> str:
    """Where the report about a partition can be read; a server that listens everywhere is read here."""
    here = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104  # compared, not bound
    return f"http://{here}:{port}/quality/{workload}/{partition}"


def index(home: Path) -> str:
    """A page with every report there is, the newest first."""
    found = sorted((home / "gold").glob(f"*/{FOLDER}/*.html"), key=lambda page: page.stat().st_mtime, reverse=True)
    links = [
        f'<li><a href="{FOLDER}/{page.parts[-3]}/{page.stem}">{page.parts[-3]}: {page.stem}</a></li>' for page in found
    ]
    listed = "\n".join(links) or "<li>No gold has been built yet.</li>"
    return _INDEX.format(listed=listed)


def exposition(home: Path, *, now: datetime) -> str:
    """The metrics of every workload that has gold, in Prometheus' text format."""
    lines: list[str] = []
    for name, kind, what, samples in _families(home, now):
        lines += [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            text = ",".join(f'{label}="{_escape(str(content))}"' for label, content in labels.items())
            lines.append(f"{name}{{{text}}} {value}")
    return "\n".join(lines) + "\n"


def serve(home: Path, *, host: str, port: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Answer `/`, `/metrics`, `/health` and `/quality/<workload>/<partition>` until the process is stopped."""
    make_server(home, host=host, port=port, clock=clock).serve_forever()


def make_server(home: Path, *, host: str, port: int, clock: Callable[[], datetime]) -> ThreadingHTTPServer:
    """The server, listening; nothing is answered before `serve_forever`."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:  # the library's name
            status, kind, text = _answer(home, self.path.split("?")[0], clock())
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet: a scrape every few seconds is no news."""

    return ThreadingHTTPServer((host, port), Handler)


def _answer(home: Path, path: str, now: datetime) -> tuple[HTTPStatus, str, str]:
    if path == "/metrics":
        return HTTPStatus.OK, _TEXT, exposition(home, now=now)
    if path == "/health":
        return HTTPStatus.OK, _TEXT, "ok\n"
    if path == "/":
        return HTTPStatus.OK, _HTML, index(home)
    asked = _PAGE.fullmatch(path)
    page = home / "gold" / asked[1] / FOLDER / f"{asked[2]}.html" if asked else None
    if page and page.is_file():
        return HTTPStatus.OK, _HTML, page.read_text(encoding="utf-8")
    return HTTPStatus.NOT_FOUND, _TEXT, "no such report\n"


_Sample = tuple[dict[str, Any], float]


def _families(home: Path, now: datetime) -> Iterator[tuple[str, str, str, list[_Sample]]]:
    ages: list[_Sample] = []
    rejected: list[_Sample] = []
    failed: list[_Sample] = []
    for folder in sorted((home / "gold").glob(f"*/{FOLDER}")):
        labels = {"workload": folder.parent.name}
        if (age := _age(folder.parent, now)) is not None:
            ages.append((labels, age))
        report = _read(folder / f"{_read(folder / 'newest.json').get('report')}.json")
        reasons: dict[str, int] = report.get("intake", {}).get("reasons", {})
        rejected += [({**labels, "reason": reason}, count) for reason, count in sorted(reasons.items())]
        failed += [
            ({**labels, "check": check}, count) for check, count in sorted(_read(folder / "failures.json").items())
        ]
    yield "ratchet_data_age_hours", "gauge", "Since the newest hour in gold ended", ages
    yield "ratchet_rejected_events_total", "counter", "Records of bronze that are none of ours", rejected
    yield "ratchet_quality_failures_total", "counter", "Checks that failed before gold moved or stayed", failed


def _age(gold: Path, now: datetime) -> float | None:
    manifest = _read(gold / str(_read(gold / "newest.json").get("partition")) / "manifest.json")
    if "data_hour" not in manifest:
        return None
    return round((now - datetime.fromisoformat(manifest["data_hour"])) / timedelta(hours=1), 4)


def _read(path: Path) -> dict[str, Any]:
    """A small file that a build left; empty if it is not there or broken, which the build itself will say."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
