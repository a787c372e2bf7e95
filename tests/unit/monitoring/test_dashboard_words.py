"""What pages make of answers, before anything is drawn."""

from datetime import UTC, datetime

import pytest

from monitoring.dashboard import words
from monitoring.dashboard.__main__ import options
from monitoring.dashboard.screens.over_time import bounds
from ratchet.settings import Settings
from ratchet.stack import environment


@pytest.mark.parametrize(
    ("seconds", "says"), [(5, "less than a minute"), (61, "1 minute"), (7200, "2 hours"), (200_000, "2 days")]
)
def test_a_span_in_its_largest_unit(seconds, says):
    assert words.span(seconds) == says


def test_what_nobody_measured_is_a_dash_and_never_zero():
    assert (
        words.figure(None) == words.share(None) == words.moment(None) == words.ago(None, datetime.now(UTC)) == "\u2013"
    )
    assert (words.figure(0.0), words.share(0.125)) == ("0.00", "12.5 %")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/b-1.x, 2:30 at http://h", "a/b-1.x, 2:30 at http://h"),
        ("*a* _b_ ~c~ `d`", r"\*a\* \_b\_ \~c\~ \`d\`"),
        ("$5 and $6", r"\$5 and \$6"),
        ("<b>&lt;", r"\<b\>\&lt;"),
        ("[x](y) \\", r"\[x\](y) \\"),
        (":smile: :red[x]", ":\u2060smile: :\u2060red\\[x\\]"),
        ("two\n\nlines", "two lines"),
    ],
)
def test_what_others_wrote_is_no_markup_of_a_page(name, shown):
    """A shop's `$5 and $6` was a formula, `__init__` bold, a reason's `:smile:` a face."""
    assert words.plain(name) == shown


def test_bounds_of_looks_that_had_them():
    looks = [{"at": "2026-11-21T10:00:00+00:00", "scores": {"error_low": -0.2, "error_high": 0.0}}]
    frame = bounds([*looks, {"at": "2026-11-21T09:00:00+00:00", "scores": {"ratio": 1.0}}])
    assert frame[["low", "high", "value"]].to_numpy().tolist() == [[-0.2, 0.0, -0.1]]
    assert bounds([]).empty


def test_nothing_is_sent_home():
    assert options(Settings(_env_file=None))["browser.gatherUsageStats"] == "false"


@pytest.mark.parametrize(("bind", "reads"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_the_homes_keys_are_read_only_while_nobody_else_can_come(make_stack, bind, reads):
    stack = make_stack(bind=bind)
    given = environment.dashboard(stack.settings, stack.home)
    assert bool(given["DASHBOARD_KEYS"]) is reads
    assert not [name for name in given if "DATABASE" in name or "SECRET" in name or "PASSWORD" in name]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("activity_pattern", "Activity pattern"),
        ("prs_opened", "PRs opened"),
        ("tsb", "TSB"),
        ("y", "Count"),
        ("ds", "Week that ends on"),
        ("unique_id", "Name"),
        ("usual_stars", "Usual stars"),
    ],
)
def test_names_of_the_code_are_said_as_people_say_them(name, says):
    assert words.title(name) == says
