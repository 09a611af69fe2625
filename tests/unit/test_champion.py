"""The gate: who serves, case by case, and what it says."""

from __future__ import annotations

import msgspec
import pytest

from detectors.champion import Gate, GateRules, Hold, Reason, Standing, judge, verdict
from detectors.evidence import Evidence

RULES = GateRules(min_each=10, settle_labels=50, demotion_margin=0.002, recovery_margin=0.001)
DAY = 15_000
MILLI = 1_000_000
"""One thousandth of a nat, in 1e-9."""


def evidence(left=20, stayed=20, *, champion=500, closed_form=510, idle=600, days=1, first_day=DAY):
    """Labels over `days`, with mean losses in thousandths of a nat."""
    found = Evidence(window_days=90)
    for k in range(left + stayed):
        day = first_day + k * days // (left + stayed)
        found.add(day, int(k % 2 < 1) if left == stayed else int(k < left), champion * MILLI, closed_form * MILLI, idle * MILLI)
    return found


@pytest.mark.parametrize(
    ("sentence", "standing", "seen", "expected"),
    [
        ("serves when it is better", Standing.WAITING, evidence(), Standing.SERVING),
        ("serves when it is as good", Standing.WAITING, evidence(champion=510), Standing.SERVING),
        ("waits while few left", Standing.WAITING, evidence(left=9, stayed=900), Standing.WAITING),
        ("waits while few stayed", Standing.WAITING, evidence(left=900, stayed=9), Standing.WAITING),
        ("waits while the closed form is better", Standing.WAITING, evidence(champion=511), Standing.WAITING),
        ("waits while idle time is better", Standing.WAITING, evidence(idle=499), Standing.WAITING),
        ("goes on while it is as good", Standing.SERVING, evidence(champion=510), Standing.SERVING),
        ("goes on while it is worse by chance", Standing.SERVING, evidence(champion=512), Standing.SERVING),
        ("is demoted when the closed form is better", Standing.SERVING, evidence(champion=513), Standing.DEMOTED),
        ("is demoted when idle time is better", Standing.SERVING, evidence(idle=499), Standing.DEMOTED),
        ("does not come back by a hair", Standing.DEMOTED, evidence(champion=510), Standing.DEMOTED),
        ("comes back by the margin", Standing.DEMOTED, evidence(champion=509), Standing.SERVING),
        ("does not come back on few labels", Standing.DEMOTED, evidence(left=9, stayed=900), Standing.DEMOTED),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_the_champion(sentence, standing, seen, expected):
    gate = Gate(standing, judged=1000, changed_at=950)
    assert judge(gate, seen, DAY, RULES).standing is expected, sentence


def test_a_change_is_not_taken_back_before_it_has_settled():
    worse = evidence(champion=600)
    young = Gate(Standing.SERVING, judged=1049, changed_at=1000)
    assert judge(young, worse, DAY, RULES) is young
    settled = msgspec.structs.replace(young, judged=1050)
    demoted = judge(settled, worse, DAY, RULES)
    assert demoted == Gate(Standing.DEMOTED, judged=1050, changed_at=1050)


def test_labels_that_run_short_over_a_whole_window_end_its_service_and_a_fresh_start_does_not():
    gate = Gate(Standing.SERVING, judged=1000, changed_at=1000)  # no settling for this: there is nothing to settle
    seen = evidence(left=5, stayed=5)
    assert judge(gate, seen, DAY + 89, RULES).standing is Standing.SERVING
    assert judge(gate, seen, DAY + 90, RULES).standing is Standing.DEMOTED
    seen.restart()
    assert judge(gate, seen, DAY + 90, RULES).standing is Standing.SERVING


def test_a_hold_does_not_stop_the_judging_beneath():
    gate = Gate(Standing.SERVING, judged=1000, changed_at=900, hold=Hold.FROZEN)
    after = judge(gate, evidence(champion=513), DAY, RULES)
    assert (after.standing, after.hold) == (Standing.DEMOTED, Hold.FROZEN)


def test_the_window_forgets_day_by_day_and_to_the_last_nano():
    seen = evidence(left=30, stayed=30, days=30, champion=700)
    seen.add(DAY + 100, 1, 333_333_333, 1, 1)
    assert seen.total.labels == 1 + 38  # of the two labels a day, those of days 11 to 29 are younger than 90 days
    seen.age(DAY + 119)
    assert (seen.total.labels, seen.total.champion, seen.mean("champion")) == (1, 333_333_333, pytest.approx(0.333333333))


@pytest.mark.parametrize(
    ("seen", "reason", "text"),
    [
        (
            evidence(),
            Reason.NOT_ABOVE,
            "the champion's log loss is not above the baselines'; 40 labels of 90 days, 20 left (at least 10 of each kind): "
            "champion 0.5000, closed form 0.5100, idle 0.6000 nats",
        ),
        (
            evidence(champion=511),
            Reason.ABOVE_CLOSED_FORM,
            "the champion's log loss is above the closed form's; 40 labels of 90 days, 20 left (at least 10 of each kind): "
            "champion 0.5110, closed form 0.5100, idle 0.6000 nats",
        ),
        (
            Evidence(90),
            Reason.FEW_LABELS,
            "there are too few labels to say; 0 labels of 90 days, 0 left (at least 10 of each kind)",
        ),
    ],
)
def test_a_verdict_tells_its_numbers(seen, reason, text):
    assert (verdict(seen, RULES).reason, verdict(seen, RULES).text) == (reason, text)


@pytest.mark.parametrize("wrong", [{"min_each": 0}, {"settle_labels": -1}, {"recovery_margin": -0.1}, {"demotion_margin": -0.1}])
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        GateRules(**wrong)
