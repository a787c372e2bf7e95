"""What is measured of two releases beside each other, from what they issued."""

from datetime import UTC, date, datetime
from unittest.mock import Mock

import pytest

from ratchet.contracts.errors import RegistryError
from ratchet.contracts.ports import Experiment, Release
from ratchet.decide.state import Stage
from ratchet.trials.measuring import Measurements

AT = datetime(2026, 6, 1, tzinfo=UTC)
TRIAL = Experiment(experiment_id=1, workload="toys", production="old", candidate="new", started_at=AT)
ISSUED = {("old", 3): date(2026, 6, 7), ("new", 1): date(2026, 5, 10), ("new", 2): date(2026, 6, 7)}
"""The first week of each issue."""


def measured(**changes):
    rest = ("hours", "asked", "metrics", "feedback", "folder", "actuals", "around", "replay", "workers")
    found = {
        "find": lambda workload, name: release(workload, name, 3 if name == "old" else 1),
        "first_week": lambda known, number: ISSUED.get((known.release_id, number)),
    }
    return Measurements(**(dict.fromkeys(rest, Mock()) | found | changes))


def release(workload, name, issue):
    return Release(workload=workload, version=1, release_id=name, location="file:///x", issue=issue)


def test_a_candidate_is_behind_until_it_was_issued_from_the_week_of_production():
    assert measured().is_behind(TRIAL)
    assert not measured(find=lambda workload, name: release(workload, name, 3 if name == "old" else 2)).is_behind(TRIAL)


def test_one_that_was_trained_after_production_was_issued_is_not_behind():
    newer = measured(first_week=lambda known, _: date(2026, 6, 14) if known.release_id == "new" else date(2026, 6, 7))
    assert not newer.is_behind(TRIAL)


@pytest.mark.parametrize("error", [RegistryError("away"), OSError("no such bucket"), None], ids=str)
def test_nobody_is_behind_where_nobody_can_say(error):
    """What cannot be read here cannot be served either: the warm-up waits for that."""
    assert not measured(first_week=Mock(side_effect=error, return_value=None)).is_behind(TRIAL)


def test_nobody_can_say_what_is_expected_where_files_are_away(caplog):
    stuck = measured(folder=Mock(side_effect=OSError(28, "No space left on device")))
    assert stuck.levels(TRIAL, at=AT) == ()
    assert "nobody can say what the releases expect: [Errno 28] No space left on device" in caplog.text


def test_a_disk_that_is_full_or_anothers_costs_the_realised_errors_and_not_the_look(caplog):
    """What is compared may have to be brought here first."""
    state = Mock(stage=Stage.AB, errors=Mock(weeks=()))
    stuck = measured(folder=Mock(side_effect=OSError(28, "No space left on device")))
    assert stuck.weeks(TRIAL, state, at=AT) == ()
    assert "no realised errors at this look: [Errno 28] No space left on device" in caplog.text
