"""What the page *Models* says a release is made of."""

import pytest
from streamlit.testing.v1 import AppTest

from monitoring.dashboard import charts, session
from monitoring.dashboard.registry import Listed, Run
from monitoring.dashboard.screens import families

COUNTED = {"ensemble": 96.0, "naive": 0.0, "tsb": 0.0, "trees": 0.0, "neural": 0.0, "ets": 4.0}
WRONG = {"ensemble": 0.96, "naive": 1.21, "tsb": 1.0, "trees": 0.95, "neural": 0.97, "ets": 1.1}
MEMBERS = {"ensemble": "ets trees neural", "expects": "tsb"}


def run(counted=COUNTED, wrong=WRONG, params=MEMBERS):
    figures = {f"series/{name}": value for name, value in counted.items()}
    return Run(metrics=figures | {f"mase/{name}": value for name, value in wrong.items()}, params=params, address="")


def kinds(found):
    frame = families.tried(found)
    return dict(zip(frame["family"], frame["kind"], strict=True))


def test_each_family_stands_with_its_error_the_best_first_and_with_what_it_is_for():
    """There was one bar of 96 series beside eight rows without any: not what the ensemble was of, nor how wrong each was."""
    frame = families.tried(run())
    assert list(zip(frame["family"], frame["kind"], strict=True)) == [
        ("Trees", families.MEMBER),
        ("Ensemble", families.ANSWERS),
        ("Neural", families.MEMBER),
        ("TSB", families.MEAN),
        ("ETS", families.ANSWERS),
        ("Naive", families.NONE),
    ]
    assert families.made_of(frame) == (
        "Ensemble (MASE 0.96) answers for 96 series; ETS (MASE 1.10) answers for 4 series."
        " The ensemble is the median of Trees 0.95, Neural 0.97, ETS 1.10. Most of each mean is what TSB expects."
        " Tried, and answering for none: Naive 1.21."
        f" {families.LATER}."
    )


def test_an_ensemble_that_answers_for_none_is_of_nothing():
    """A release of one family has a set of one that deserves it; that is no ensemble."""
    alone = run({"ets": 4.0, "naive": 0.0}, params={"ensemble": "ets"})
    assert kinds(alone) == {"ETS": families.ANSWERS, "Naive": families.NONE}
    assert families.made_of(families.tried(alone)) == (
        f"ETS (MASE 1.10) answers for 4 series. Tried, and answering for none: Naive 1.21. {families.LATER}."
    )


def test_a_release_whose_run_names_no_members_is_shown_without_them():
    older = run(params={})
    assert set(kinds(older).values()) == {families.ANSWERS, families.NONE}
    assert "median of" not in families.made_of(families.tried(older))


def page():
    from monitoring.dashboard.screens import models  # noqa: PLC0415, the page is all that is run

    models.show()


class Registered:
    def __init__(self, found):
        self.found = found

    def releases(self, _):
        return [Listed(version=1, run_id="r", tags={"release_id": "r1", "candidate_of": "CO1", "state": "trial"})]

    def run(self, _):
        return self.found


@pytest.fixture
def opened(monkeypatch):
    """The page of one release with such a run; each chart that was drawn, with its rows."""
    drawn = {}
    show = charts.show

    def opened(found):
        from monitoring.dashboard.screens import models  # noqa: PLC0415

        models._releases.clear()
        models._run.clear()
        monkeypatch.setattr(session, "registry", lambda: Registered(found))
        monkeypatch.setattr(session, "workload", lambda: "parcels")
        monkeypatch.setattr(session, "ask", lambda *_, **__: {"release_id": "another"})
        monkeypatch.setattr(charts, "show", lambda *of, **how: drawn.update({how["title"]: of[0]}) or show(*of, **how))
        return AppTest.from_function(page, default_timeout=60).run(), drawn

    return opened


def test_the_page_draws_errors_and_says_who_answers(opened):
    found, drawn = opened(run())
    assert not found.exception
    spec = drawn["Families"].to_dict()
    [rows] = spec["datasets"].values()
    assert [row["family"] for row in rows] == ["Trees", "Ensemble", "Neural", "TSB", "ETS", "Naive"]
    assert (spec["encoding"]["x"]["field"], spec["encoding"]["y"]["sort"]) == ("mase", None)
    assert any("The ensemble is the median of Trees 0.95" in one.value for one in found.caption)


def test_families_that_nobody_could_validate_are_told_without_a_chart(opened):
    found, drawn = opened(run(wrong={}))
    assert not found.exception
    assert "Families" not in drawn
    assert "No family could be validated" in found.info[0].value
    assert "answers for 96 series" in found.info[0].value


def measured(**more):
    figures = {"coverage/80": 0.737, "coverage/80/busy": 0.7, "coverage/95": 0.912, "bias/release": -0.37, **more}
    return Run(metrics=figures, params={}, address="")


def test_what_bounds_held_is_told_with_how_far_chance_goes(opened):
    found, _ = opened(measured(**{"coverage_80_error/release": 0.0241, "coverage_95_error/release": 0.012}))
    [said] = [one.value for one in found.caption if "Bounds of" in one.value]
    assert "Bounds of 80 % held in 73.7 ± 2.4 % of held-out weeks; bounds of 95 % held in 91.2 ± 1.2 %" in said
    assert "standard error" in said


def test_how_much_bounds_hold_is_told_of_the_first_and_of_the_last_week_ahead(opened):
    steps = {"coverage/80/step 1": 0.7955, "coverage/80/step 8": 0.77, "coverage/80/step 26": 0.6856}
    found, _ = opened(measured(**steps))
    [said] = [one.value for one in found.caption if "Bounds of" in one.value]
    assert said.endswith("Those of 80 % held in 79.5 % of weeks 1 ahead, in 68.6 % 26 ahead.")


def test_a_release_of_before_is_told_without_how_far_chance_goes(opened):
    found, _ = opened(measured())
    [said] = [one.value for one in found.caption if "Bounds of" in one.value]
    assert said == "Bounds of 80 % held in 73.7 % of held-out weeks; bounds of 95 % held in 91.2 % of held-out weeks."


def test_the_bias_that_is_shown_is_of_the_mean_which_has_none_by_nature(opened):
    """That of a typical week was shown, which lies below the mean of skewed counts: 0.37 too low, it was read."""
    found, _ = opened(measured(**{"bias_mean/release": -0.02}))
    [bias] = [one for one in found.metric if one.label.startswith("Bias")]
    assert (bias.label, bias.value) == ("Bias of the mean", "-0.020")
    assert "-0.370" in bias.help
