"""What is shown beside a look: known, or said to be unknown."""

from datetime import UTC, datetime, timedelta

from ratchet.contracts.drift import DriftAlarm
from ratchet.contracts.errors import MetricsError
from ratchet.contracts.look import Surroundings
from ratchet.trials.around import Around

AT = datetime(2026, 11, 16, 12, tzinfo=UTC)
ALARM = DriftAlarm(workload="toys", release_id="r1", began_at=AT, data_hour=AT, features=("input.x", "residuals"))


def away(_workload):
    raise MetricsError("the database is away")


def test_age_and_drift_are_said():
    around = Around(data_hour=lambda _: AT - timedelta(hours=30), alarm=lambda _: ALARM)
    assert around.look("toys", at=AT) == Surroundings(data_age_hours=30.0, drifting=("input.x", "residuals"))


def test_no_alarm_is_not_the_same_as_nobody_knows():
    quiet = Around(data_hour=lambda _: None, alarm=lambda _: None)
    assert quiet.look("toys", at=AT) == Surroundings(data_age_hours=None, drifting=())
    assert Around(data_hour=away, alarm=away).look("toys", at=AT) == Surroundings(data_age_hours=None, drifting=None)
