"""The four boards, a file each."""

from typing import Final

from monitoring.grafana.boards.loop import LOOP
from monitoring.grafana.boards.pipelines import PIPELINES
from monitoring.grafana.boards.quality import QUALITY
from monitoring.grafana.boards.serving import SERVING

BOARDS: Final = (LOOP, SERVING, QUALITY, PIPELINES)
