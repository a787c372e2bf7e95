"""What the page *Experiment* says of why production is production."""

from monitoring.dashboard.screens.experiment import MOST, _why


def tried(candidate, production, *, moved=None, at="2026-11-18T10:00:00+00:00"):
    """An experiment whose last hundred verdicts are of the watch; what moved production is older."""
    said = {"verdict": "extend", "at": "2026-11-20T00:00:00+00:00", "reason": "no harm so far"}
    put = {"verdict": moved, "at": at, "reason": f"{candidate} {moved}"} if moved else None
    return {"candidate": candidate, "production": production, "verdicts": [said] * 100, "moved": put}


def why(release, *experiments):
    return _why({"release_id": release}, list(experiments))


def test_a_promotion_that_a_hundred_looks_followed_is_the_reason():
    assert why("r2", tried("r2", "r1", moved="promote")) == "Live since 2026-11-18 10:00 UTC: r2 promote."


def test_what_came_back_by_a_revert_says_so():
    assert why("r1", tried("r2", "r1", moved="revert")) == "Back since 2026-11-18 10:00 UTC: r2 revert."


def test_the_newest_of_several_reasons_counts():
    earlier = tried("r1", "r0", moved="promote", at="2026-09-01T10:00:00+00:00")
    assert why("r1", tried("r3", "r1", moved="revert"), earlier).startswith("Back since 2026-11-18")


def test_the_first_release_is_called_so_only_where_nothing_contradicts_it():
    first = "The first release: live since there was nothing to compare it with."
    assert (why("r1"), why("r1", tried("r3", "r1"), tried("r2", "r1"))) == (first, first)
    assert why("r1", tried("r2", "r1", moved="promote")) == ""
    assert why("r5", tried("r6", "r5"), tried("r2", "r1")) == ""
    assert why("r1", *[tried("r2", "r1")] * MOST) == ""
