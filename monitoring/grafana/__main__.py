"""`python -m monitoring.grafana` writes the boards to `dashboards/`."""

from pathlib import Path

from monitoring.grafana.boards import BOARDS
from monitoring.grafana.build import render

FOLDER = Path(__file__).with_name("dashboards")


def main() -> None:
    """Write each board under its uid."""
    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(render(board), encoding="utf-8")


if __name__ == "__main__":
    main()
