"""`python -m monitoring.dashboard` becomes Streamlit, with nothing sent home and nothing watched."""

import os
import sys
from pathlib import Path

from ratchet.settings import Settings

APP = Path(__file__).with_name("app.py")
LIGHT = {
    "primaryColor": "#1d5fa8",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f2f5f9",
    "textColor": "#1b2430",
    "linkColor": "#1d5fa8",
}
DARK = {
    "primaryColor": "#7cb3ee",
    "backgroundColor": "#12171e",
    "secondaryBackgroundColor": "#1d242e",
    "textColor": "#e8edf3",
    "linkColor": "#8fc0f3",
}


def options(settings: Settings) -> dict[str, object]:
    """Return every option that differs from Streamlit's own."""
    themes = {
        f"theme.{name}.{key}": value
        for name, theme in (("light", LIGHT), ("dark", DARK))
        for key, value in theme.items()
    }
    return {
        "server.address": settings.bind,
        "server.port": settings.dashboard_port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": 2,
        "server.runOnSave": "false",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.baseRadius": "small",
        **themes,
    }


def main() -> None:
    """Become Streamlit."""
    flags = [f"--{name}={value}" for name, value in options(Settings.load()).items()]
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(APP), *flags])  # noqa: S606  # becomes the dashboard


if __name__ == "__main__":
    main()
