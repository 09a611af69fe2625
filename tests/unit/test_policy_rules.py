"""The settings of the policy: what is refused, and in which words."""

from __future__ import annotations

import pytest

from alerts.rules import PolicyRules

GOOD = {"watch": 0.5, "high": 0.7, "critical": 0.85, "release_margin": 0.08}
COUNTS = {"breaches": 2, "breach_spacing_s": 21_600, "cool_down_s": 604_800, "min_purchases": 2}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"watch": 0.8}, r"policy.fire_bp is \(8000, 7000, 8500\): must ascend; set policy.watch < policy.high"),
        ({"high": 0.85}, "must ascend"),
        ({"critical": 1.2}, "policy.critical is 1.2: must be from 0 to 1"),
        ({"critical": float("nan")}, "policy.critical is nan"),
        ({"watch": 0.0}, "policy.watch fires at 0 of 10000: must be from 1"),
        ({"release_margin": 0.0}, "policy.watch releases at 5000, not below 5000 .*: set policy.release_margin above 0"),
        ({"release_margin": 0.5}, "policy.watch releases at 0, so it would never end: set policy.release_margin below"),
        ({"release_margin": -0.1}, "policy.release_margin is -0.1: must be from 0 to 1"),
        ({"breaches": 0}, "policy.breaches is 0: must be from 1 to 255"),
        ({"breaches": 256}, "policy.breaches is 256"),
        ({"breach_spacing_s": -1}, "policy.breach_spacing_s is -1: must be from 0"),
        ({"cool_down_s": -1}, "policy.cool_down_s is -1"),
        ({"min_purchases": -1}, "policy.min_purchases is -1"),
    ],
)
def test_rules_out_of_range_are_refused_with_field_value_and_fix(change, says):
    with pytest.raises(ValueError, match=says):
        PolicyRules.from_settings(**(GOOD | COUNTS | change))


def test_all_problems_are_named_at_once():
    with pytest.raises(ValueError, match="breaches") as error:
        PolicyRules.from_settings(**(GOOD | COUNTS | {"breaches": 0, "cool_down_s": -1, "watch": 0.8}))
    assert [word in str(error.value) for word in ("fire_bp", "breaches", "cool_down_s")] == [True] * 3
