import json
from dataclasses import replace

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.contracts.policy import CompositePolicy, EvidencePolicy, Mode
from ratchet.decide.overrides import override, with_mode
from ratchet.decide.records import to_json

POLICY = EvidencePolicy()


def said(text, workload="toys"):
    return override(POLICY, text, workload=workload, workloads=frozenset({"toys", "trains"}))


@pytest.mark.parametrize("text", ["", "  ", "{}"])
def test_nothing_said_changes_nothing(text):
    assert said(text) == POLICY


def test_what_is_said_replaces_a_parameter_and_keeps_the_rest():
    text = '{"mode": "spec", "min_ab_hours": 24, "composite": {"min_ratings": 5}}'
    expected = replace(POLICY, mode=Mode.SPEC, min_ab_hours=24.0, composite=CompositePolicy(min_ratings=5))
    assert said(text) == expected


def test_it_may_be_said_for_one_workload():
    text = '{"trains": {"needs_approval": true}}'
    assert (said(text), said(text, "trains")) == (POLICY, replace(POLICY, needs_approval=True))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("min_ab_hours=24", "POLICY is no JSON"),
        ("[1]", "must be a JSON object"),
        ('{"min_ab_huors": 24}', "POLICY knows no min_ab_huors"),
        ('{"composite": {"ratings": 1}}', "POLICY knows no composite.ratings"),
        ('{"composite": 1}', "composite must be an object"),
        ('{"toys": 1}', "must be an object, not 1"),
        ('{"mode": "luck"}', "POLICY: mode: Input should be"),
        ('{"min_ab_hours": "soon"}', "POLICY: min_ab_hours: Input should be"),
        ('{"ab_share": 0.3}', "ab_share can be 0.05, 0.1, 0.2, 0.5"),
        ('{"alpha_split": 1}', "alpha_split must be below 1"),
        ('{"alpha_split": 0}', "alpha_split must be above 0"),
        ('{"max_ab_hours": -1}', "max_ab_hours must be above 0"),
        ('{"max_ab_hours": NaN}', "max_ab_hours must be above 0"),
        ('{"bets": [0.5, 1.0]}', "bets must be below 1"),
        ('{"bets": []}', "bets and bad_odds need a number each"),
        ('{"bad_odds": []}', "bets and bad_odds need a number each"),
        ('{"split_concentration": 1e308}', "split_concentration must be at most 1,000,000"),
        ('{"guardrail_restart_hours": 1e-9}', "guardrail_restart_hours must be at least 0.1"),
        ('{"composite": {"latency_budget_ms": 0}}', "composite.latency_budget_ms must be above 0"),
        ('{"composite": {"promote_above": NaN}}', "composite.promote_above must be above 0"),
        ('{"composite": {"min_ratings": -1}}', "composite.min_ratings must be above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(text, complaint):
    with pytest.raises(RatchetError) as caught:
        said(text)
    assert complaint in str(caught.value)


def test_a_look_may_be_judged_by_another_rule():
    assert with_mode(POLICY, "") == POLICY
    assert with_mode(POLICY, "spec") == replace(POLICY, mode=Mode.SPEC)
    with pytest.raises(RatchetError, match="mode can be spec, spec_guarded, evidence, not 'luck'"):
        with_mode(POLICY, "luck")


def test_every_parameter_can_be_said_as_it_is():
    assert said(json.dumps(json.loads(to_json(POLICY)))) == POLICY
