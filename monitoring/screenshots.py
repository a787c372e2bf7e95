"""`make screenshots`: the dashboard as people see it, in Debian's Chromium, on a stack that runs and has had users."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from ratchet.contracts.errors import RatchetError
from ratchet.settings import Settings

CHROMIUM = Path("/usr/bin/chromium")
TALL = ViewportSize(width=1440, height=1200)
WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
PAGES = ("forecast", "experiment", "models", "data", "drift", "live")
FOR_THE_README = ("forecast", "experiment", "models", "live")
QUIET_MS = 350
PATIENCE_MS = 60_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; a `RatchetError` that says what to install if there is none."""
    if not CHROMIUM.exists():
        raise RatchetError(f"{CHROMIUM} is missing: tools/install test installs Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


def settle(page: Page) -> None:
    """Return when the page has stopped running: its title is there, nothing spins, every chart is drawn."""
    page.wait_for_selector("h1", timeout=PATIENCE_MS)
    for _ in range(2):
        _quiet(page)
        page.wait_for_timeout(QUIET_MS)


def _quiet(page: Page) -> None:
    page.wait_for_load_state("networkidle", timeout=PATIENCE_MS)
    page.wait_for_function(
        "() => document.querySelector(\"[data-testid='stApp'][data-test-script-state='notRunning']\")"
        " && !document.querySelector(\"[data-testid='stSpinner'], [data-testid='stSkeleton']\")"
        " && [...document.querySelectorAll(\"[data-testid='stVegaLiteChart']\")].every(one => one.querySelector('canvas, svg'))",
        timeout=PATIENCE_MS,
    )


def shoot(page: Page, path: Path, *, whole: bool) -> None:
    """Save what is seen; `whole` also takes what is below."""
    if whole:
        inner = page.evaluate("() => document.querySelector(\"[data-testid='stMain']\").scrollHeight")
        size = page.viewport_size or WIDE
        page.set_viewport_size(ViewportSize(width=size["width"], height=min(int(inner) + 60, 6000)))
        time.sleep(0.4)  # charts follow the width
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)


def take(address: str, folder: Path, *, pages: tuple[str, ...], every: bool) -> None:
    """One picture of each page; with `every`, at both widths, in light and in dark, down to the end."""
    kinds = [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")] if every else [(TALL, "light")]
    with chromium() as browser:
        for size, scheme in kinds:
            context = browser.new_context(viewport=size, color_scheme="dark" if scheme == "dark" else "light")
            for name in pages:
                page = context.new_page()
                page.goto(f"{address}/{'' if name == PAGES[0] else name}")
                settle(page)
                shoot(page, folder / (f"{name}-{size['width']}-{scheme}.png" if every else f"{name}.png"), whole=every)
                page.close()
            context.close()


def main() -> None:
    """Four for the README; with `--all FOLDER`, everything."""
    address = f"http://127.0.0.1:{Settings.load().dashboard_port}"
    if sys.argv[1:2] == ["--all"]:
        take(address, Path(sys.argv[2]), pages=PAGES, every=True)
    else:
        take(address, Path("docs/pictures"), pages=FOR_THE_README, every=False)


if __name__ == "__main__":
    main()
