"""What is around an experiment: how old the data are, and whether they drift. Shown with each look, never judged by."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ratchet.contracts.drift import DriftAlarm
from ratchet.contracts.errors import RatchetError
from ratchet.contracts.look import Surroundings

log = logging.getLogger("ratchet.trials")


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Who knows of it."""

    data_hour: Callable[[str], datetime | None]
    """The newest hour in a workload's gold."""
    alarm: Callable[[str], DriftAlarm | None]
    """The alarm of drift that lasts."""

    def look(self, workload: str, *, at: datetime) -> Surroundings:
        """What is known; None for what nobody can say."""
        try:
            hour = self.data_hour(workload)
        except (RatchetError, OSError) as error:
            log.warning("nobody can say how old the data are: %s", error)
            hour = None
        try:
            alarm = self.alarm(workload)
            drifting = alarm.features if alarm else ()
        except RatchetError as error:
            log.warning("nobody can say what drifts: %s", error)
            drifting = None
        return Surroundings(
            data_age_hours=None if hour is None else round((at - hour) / timedelta(hours=1), 3), drifting=drifting
        )
