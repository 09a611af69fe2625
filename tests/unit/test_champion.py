"""The gate: who serves, case by case, and what it says."""

from __future__ import annotations

import msgspec
import pytest

from detectors.champion import Accounts, Gate, GateRules, Hold, Reason, Standing, judge, verdict
from detectors.evidence import Evidence

RULES = GateRules(min_each=10, min_days=14, settle_labels=50, tolerance=0.002)
FIRST_DAY = 15_000
DAY = FIRST_DAY + 20
MILLI = 1_000_000
"""One thousandth of a nat, in 1e-9."""


def evidence(left=20, stayed=20, *, champion=500, closed_form=510, idle=600, days=1):
    """Labels over `days` from FIRST_DAY, with losses in thousandths of a nat."""
    found = Evidence(window_days=90)
    for k in range(left + stayed):
        day = FIRST_DAY + k * days // (left + stayed)
        found.add(day, int(k % 2 < 1) if left == stayed else int(k < left), champion * MILLI, closed_form * MILLI, idle * MILLI)
    return found


def seen(fresh=None, record=None):
    return Accounts(fresh or evidence(), record or Evidence(90))


CASES = [
    ("serves when it is better", Standing.WAITING, seen(), Standing.SERVING),
    ("serves when it is as good", Standing.WAITING, seen(evidence(champion=510)), Standing.SERVING),
    ("waits while few left", Standing.WAITING, seen(evidence(9, 900)), Standing.WAITING),
    ("waits while few stayed", Standing.WAITING, seen(evidence(900, 9)), Standing.WAITING),
    ("waits while the closed form is better", Standing.WAITING, seen(evidence(champion=511)), Standing.WAITING),
    ("waits while idle time is better", Standing.WAITING, seen(evidence(idle=499)), Standing.WAITING),
    ("goes on within the tolerance", Standing.SERVING, seen(evidence(champion=512)), Standing.SERVING),
    ("is demoted when the closed form is better", Standing.SERVING, seen(evidence(champion=513)), Standing.DEMOTED),
    ("is demoted when idle time is better", Standing.SERVING, seen(evidence(idle=497)), Standing.DEMOTED),
    ("is demoted for its record", Standing.SERVING, seen(record=evidence(champion=513)), Standing.DEMOTED),
    ("is not demoted for a short record", Standing.SERVING, seen(record=evidence(9, 900, champion=513)), Standing.SERVING),
    ("does not come back by the tolerance", Standing.DEMOTED, seen(evidence(champion=511)), Standing.DEMOTED),
    ("does not come back before its record", Standing.DEMOTED, seen(record=evidence(champion=511)), Standing.DEMOTED),
    ("comes back when it is above nothing", Standing.DEMOTED, seen(record=evidence(champion=510)), Standing.SERVING),
    ("does not come back on few labels", Standing.DEMOTED, seen(evidence(9, 900)), Standing.DEMOTED),
]


@pytest.mark.parametrize(("standing", "accounts", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_champion(standing, accounts, expected):
    assert judge(Gate(standing, labels=1000, changed_at=950), accounts, DAY, RULES).standing is expected


def test_the_labels_of_a_few_days_say_nothing_however_many_they_are():
    gate, accounts = Gate(labels=100_000), seen(evidence(50_000, 50_000))
    assert judge(gate, accounts, FIRST_DAY + 13, RULES).standing is Standing.WAITING
    assert judge(gate, accounts, FIRST_DAY + 14, RULES).standing is Standing.SERVING


def test_a_change_is_not_taken_back_before_it_has_settled():
    worse = seen(evidence(champion=600))
    young = Gate(Standing.SERVING, labels=1049, changed_at=1000)
    assert judge(young, worse, DAY, RULES) is young
    settled = msgspec.structs.replace(young, labels=1050)
    assert judge(settled, worse, DAY, RULES) == Gate(Standing.DEMOTED, labels=1050, changed_at=1050)


def test_labels_that_run_short_over_a_whole_window_end_its_service_and_a_fresh_start_does_not():
    gate = Gate(Standing.SERVING, labels=1000, changed_at=1000)  # no settling for this: there is nothing to settle
    accounts = seen(evidence(5, 5))
    assert judge(gate, accounts, FIRST_DAY + 89, RULES).standing is Standing.SERVING
    assert judge(gate, accounts, FIRST_DAY + 90, RULES).standing is Standing.DEMOTED
    accounts.fresh.restart()
    assert judge(gate, accounts, FIRST_DAY + 90, RULES).standing is Standing.SERVING


def test_a_hold_does_not_stop_the_judging_beneath():
    gate = Gate(Standing.SERVING, labels=1000, changed_at=900, hold=Hold.FROZEN)
    after = judge(gate, seen(evidence(champion=513)), DAY, RULES)
    assert (after.standing, after.hold) == (Standing.DEMOTED, Hold.FROZEN)


def test_the_window_forgets_day_by_day_and_to_the_last_nano():
    found = evidence(30, 30, days=30, champion=700)
    found.add(FIRST_DAY + 100, 1, 333_333_333, 1, 1)
    assert found.total.labels == 1 + 38  # of two labels a day, those of days 11 to 29 are younger than 90 days
    found.age(FIRST_DAY + 119)
    assert (found.total.labels, found.total.champion, found.mean("champion")) == (1, 333_333_333, pytest.approx(0.333333333))


BETTER = "champion 0.5000, closed form 0.5100, idle 0.6000 nats over 40 labels of 20 days, 20 left"
WORSE = "champion 0.5110, closed form 0.5100, idle 0.6000 nats over 40 labels of 20 days, 20 left"
NOTHING = "0 labels of 0 days, 0 left (at least 10 of each kind over 14 days are wanted)"


@pytest.mark.parametrize(
    ("accounts", "reason", "text"),
    [
        (
            seen(),
            Reason.NOT_ABOVE,
            f"the champion's log loss is above no baseline's; fresh: {BETTER}; record: {NOTHING}",
        ),
        (
            seen(record=evidence(champion=511)),
            Reason.ABOVE_CLOSED_FORM,
            f"the champion's log loss is above the closed form's in its record; fresh: {BETTER}; record: {WORSE}",
        ),
        (
            Accounts(Evidence(90), Evidence(90)),
            Reason.FEW_LABELS,
            f"there are too few labels to say; fresh: {NOTHING}; record: {NOTHING}",
        ),
    ],
    ids=["better", "worse in the record", "nothing yet"],
)
def test_a_verdict_tells_its_numbers(accounts, reason, text):
    found = verdict(accounts, DAY, RULES)
    assert (found.reason, found.text) == (reason, text)


@pytest.mark.parametrize("wrong", [{"min_each": 0}, {"settle_labels": -1}, {"tolerance": -0.1}, {"min_days": -1}])
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        GateRules(**wrong)
