"""Harm that shows only after a promotion, while it is watched and later."""

from house import WORKLOAD, WORSE


def test_harm_in_the_watch_brings_the_beaten_release_back(house):
    house.promoted()
    house.said.ratings = WORSE
    house.hour(12)
    assert house.world == ("BO1", None, 0)
    assert house.states == ["production", "rolled_back"]
    assert [one.verdict for one in house.journal.past(WORKLOAD, limit=1)] == ["revert"]


def test_a_promotion_that_proves_wrong_late_ends_the_experiment_beside_it(house):
    house.shadowed().on_trial_too(3)
    house.said.errors["r2"] = 2.0
    assert "its production was reverted" in house.hour()["reason"]
    assert (house.world, house.states) == (("BO1", None, 0), ["production", "rolled_back", "rolled_back"])


def test_a_promotion_that_another_has_followed_can_no_longer_move_production(house):
    house.shadowed().promoted_too(3)
    assert [one.verdict for one in house.journal.past(WORKLOAD, limit=9)] == ["promote"]
    house.said.errors["r2"] = 2.0
    house.hour(2)
    assert house.journal.shadows(WORKLOAD) == []
    assert (house.world, house.states) == (("BO3", "CO1", 10), ["beaten", "beaten", "production"])


def test_an_older_promotion_that_was_left_open_is_closed_and_moves_nothing(house):
    """As installations have it whose two promotions came before the older one was closed."""
    house.shadowed()
    closed, house.journal.close_experiment = house.journal.close_experiment, lambda *_, **__: None
    house.promoted_too(3)
    house.said.errors["r2"] = 2.0
    house.look()
    assert house.journal.newest(1).stage == "watch"
    house.journal.close_experiment = closed
    house.hour()
    assert (house.world, house.states) == (("BO3", "CO1", 10), ["beaten", "beaten", "production"])
    assert [(one.candidate, one.verdict) for one in house.journal.past(WORKLOAD, limit=9)] == [("r2", "promote")]
