"""Simulated customers: their events agree with the truth that is stated about them."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from streams.backtest.history import read_history
from streams.backtest.simulation import Population, SimulatedEvent, Truth, simulate_customers
from streams.cli.main import main
from streams.columns import COMPLAINT, DAY_MS, LOGIN, PURCHASE, REFUND

START_MS = 867_715_200_000  # 1997-07-01
DAYS = 365
END_MS = START_MS + DAYS * DAY_MS
POPULATION = Population()

Lives = dict[str, dict[int, list[SimulatedEvent]]]


@pytest.fixture(scope="module")
def simulated() -> tuple[list[SimulatedEvent], list[Truth]]:
    return simulate_customers(4000, DAYS, START_MS, seed=3)


@pytest.fixture(scope="module")
def truths(simulated: tuple[list[SimulatedEvent], list[Truth]]) -> dict[str, Truth]:
    return {truth.customer: truth for truth in simulated[1]}


@pytest.fixture(scope="module")
def lives(simulated: tuple[list[SimulatedEvent], list[Truth]]) -> Lives:
    found: Lives = defaultdict(lambda: defaultdict(list))
    for event in simulated[0]:
        found[event.customer][event.kind].append(event)
    return found


def test_events_are_in_order_within_the_period_and_counted_in_the_truth(
    simulated: tuple[list[SimulatedEvent], list[Truth]], lives: Lives
) -> None:
    events, all_truths = simulated
    times = np.array([event.time_ms for event in events])
    assert (np.diff(times) >= 0).all()
    assert times.min() >= START_MS
    assert times.max() < END_MS
    for truth in all_truths:
        counts = [len(lives[truth.customer][kind]) for kind in (PURCHASE, COMPLAINT, LOGIN, REFUND)]
        assert counts == [truth.purchases, truth.complaints, truth.logins, truth.refunds]


def test_no_purchase_and_no_complaint_comes_after_the_end_of_a_life(lives: Lives, truths: dict[str, Truth]) -> None:
    ends = 0
    for customer, truth in truths.items():
        final = max(event.time_ms for kind in (PURCHASE, COMPLAINT) for event in lives[customer][kind])
        assert lives[customer][PURCHASE][0].time_ms == truth.joined_ms
        if truth.left:
            assert final == truth.end_ms  # the life ends with the event that ended it
            assert final == lives[customer][COMPLAINT if truth.why == "complaint" else PURCHASE][-1].time_ms
            ends += 1
        else:
            assert truth.end_ms == END_MS
    assert 0.3 < ends / len(truths) < 0.9


def test_purchases_come_at_the_stated_rate_while_the_life_lasts() -> None:
    """Repeat purchases of all against the integral of rate x wobble over their lives (Poisson: the difference is noise).

    Without complaints, whose time depends on the next purchase.
    """
    _, truths = simulate_customers(3000, DAYS, START_MS, seed=5, population=replace(POPULATION, complaint_share=0))
    day = START_MS / DAY_MS + np.arange(0, DAYS + 1, 0.01)
    week = 1 + POPULATION.weekly_wobble * np.cos(2 * np.pi * (day - 2.5) / 7)
    year = 1 + POPULATION.yearly_wobble * np.cos(2 * np.pi * (day - 349) / 365.25)
    until = np.cumsum(week * year) * 0.01
    lived = [until[[round((ms - START_MS) / DAY_MS * 100) for ms in (truth.joined_ms, truth.end_ms)]] for truth in truths]
    expected = sum(truth.rate_per_day * (end - begin) for truth, (begin, end) in zip(truths, lived, strict=True))
    found = sum(truth.purchases - 1 for truth in truths)
    assert abs(found - expected) < 4 * np.sqrt(expected)


def test_rates_are_gamma_and_leave_chances_beta(truths: dict[str, Truth]) -> None:
    rates = [truth.rate_per_day for truth in truths.values()]
    gamma = stats.gamma(POPULATION.rate_shape, scale=POPULATION.rate_per_day / POPULATION.rate_shape)
    assert stats.kstest(rates, gamma.cdf).pvalue > 0.001
    chances = [truth.leave_chance for truth in truths.values()]
    assert stats.kstest(chances, stats.beta(POPULATION.leave_a, POPULATION.leave_b).cdf).pvalue > 0.001


def test_first_purchases_end_lives_as_often_as_the_beta_says(truths: dict[str, Truth]) -> None:
    """The coin after the first purchase has the mean of the Beta: a / (a + b)."""
    once = sum(truth.why == "purchase" and truth.end_ms == truth.joined_ms for truth in truths.values())
    mean = POPULATION.leave_a / (POPULATION.leave_a + POPULATION.leave_b)
    assert stats.binomtest(once, len(truths), mean).pvalue > 0.001


def test_tickets_are_log_normal(lives: Lives) -> None:
    first = np.log([life[PURCHASE][0].amount for life in lives.values()])
    spread = POPULATION.ticket_sigma * np.sqrt(1 + 0.25)
    assert stats.kstest(first, stats.norm(POPULATION.ticket_mu, spread).cdf).pvalue > 0.001


def test_a_complaint_raises_the_chance_to_leave_and_a_severe_one_more(lives: Lives, truths: dict[str, Truth]) -> None:
    left, total = np.zeros(6), np.zeros(6)
    for customer, life in lives.items():
        truth = truths[customer]
        for complaint in life[COMPLAINT]:
            total[complaint.severity] += 1
            left[complaint.severity] += truth.why == "complaint" and complaint.time_ms == truth.end_ms
    for severity in range(1, 6):
        chance = POPULATION.complaint_leaves * severity / 5
        assert stats.binomtest(int(left[severity]), int(total[severity]), chance).pvalue > 0.001, severity
    assert (
        stats.binomtest(int(left.sum()), int(total.sum()), 0.12).pvalue < 1e-6
    )  # without complaints about 0.09 after a purchase


def test_only_the_outspoken_complain_and_they_leave_less_often_by_the_stated_factor() -> None:
    """Who complains drew from a Beta scaled by the factor: nobody exceeds it, and of many complaints all are theirs."""
    population = replace(POPULATION, complaint_share=0.5, complaint_leaves=0.0, outspoken_share=0.3, outspoken_leave=0.2)
    _, truths = simulate_customers(4000, DAYS, START_MS, seed=6, population=population)
    outspoken = [truth.leave_chance for truth in truths if truth.complaints]
    assert max(outspoken) <= 0.2
    longest = [truth for truth in truths if truth.purchases > 12]  # that of 12 purchases none brought a complaint: 1 in 4096
    share = sum(truth.complaints > 0 for truth in longest) / len(longest)
    assert 0.3 < share < 0.9, "they stay longer, so there are more of them among these"
    once = [truth for truth in truths if truth.why == "purchase" and truth.end_ms == truth.joined_ms]
    mean = POPULATION.leave_a / (POPULATION.leave_a + POPULATION.leave_b) * (0.7 + 0.3 * 0.2)
    assert stats.binomtest(len(once), len(truths), mean).pvalue > 0.001


def test_logins_thin_out_around_the_end_of_who_leaves_and_of_nobody_else(lives: Lives, truths: dict[str, Truth]) -> None:
    """Logins per expected login: near 1 well before the end, less in the weeks before it, none once it is long over."""

    def share(customers: list[Truth], begin_days: float, end_days: float) -> float:
        found = expected = 0.0
        for truth in customers:
            begin = max(truth.joined_ms, truth.end_ms + begin_days * DAY_MS)
            end = min(END_MS, truth.end_ms + end_days * DAY_MS)
            if end > begin:
                found += sum(begin <= event.time_ms < end for event in lives[truth.customer][LOGIN])
                expected += truth.rate_per_day * POPULATION.logins_per_purchase * (end - begin) / DAY_MS
        return found / expected

    by_why = {why: [truth for truth in truths.values() if truth.why == why] for why in ("purchase", "complaint", "")}
    span = POPULATION.fade_days + POPULATION.linger_days
    assert share(by_why["purchase"], -120, -POPULATION.fade_days) == pytest.approx(1.0, abs=0.06)
    assert share(by_why["purchase"], -15, 0) == pytest.approx((7.5 + POPULATION.linger_days) / span, abs=0.06)
    assert share(by_why["purchase"], 0, POPULATION.linger_days) == pytest.approx(POPULATION.linger_days / 2 / span, abs=0.06)
    assert share(by_why["purchase"], POPULATION.linger_days + 0.001, 100) == 0
    assert share(by_why["complaint"], -15, 0) == pytest.approx(1.0, abs=0.12)
    assert share(by_why["complaint"], 0, POPULATION.linger_days) == pytest.approx(0.5, abs=0.12)
    assert share(by_why[""], -15, 0) == pytest.approx(1.0, abs=0.06)


def test_refunds_follow_a_purchase_that_is_large_enough(lives: Lives) -> None:
    refunds = 0
    for life in lives.values():
        for refund in life[REFUND]:
            before = [
                event for event in life[PURCHASE] if 0 < refund.time_ms - event.time_ms <= POPULATION.refund_delay_days * DAY_MS
            ]
            assert max(event.amount for event in before) >= refund.amount > 0
            refunds += 1
    assert refunds > 100


def test_a_life_does_not_depend_on_how_many_others_there_are(truths: dict[str, Truth]) -> None:
    _, few = simulate_customers(5, DAYS, START_MS, seed=3)
    assert few == [truths[truth.customer] for truth in few]
    _, other = simulate_customers(5, DAYS, START_MS, seed=4)
    assert other != few


def exit_code(*args: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *args])
    return ended.value.code


def test_the_same_seed_gives_the_same_bytes_and_a_readable_history(tmp_path: Path) -> None:
    options = ["--customers", "60", "--days", "200", "--start", "2020-02-01", "--seed", "9"]
    for name in ("a.csv", "b.csv.gz", "c.csv.gz", "d.jsonl"):
        assert exit_code(str(tmp_path / name), *options, "--truth", str(tmp_path / f"{name}.truth.csv")) == 0
    a, b, c, d = (tmp_path / name for name in ("a.csv", "b.csv.gz", "c.csv.gz", "d.jsonl"))
    assert b.read_bytes() == c.read_bytes()
    assert gzip.decompress(b.read_bytes()) == a.read_bytes()
    history = read_history(a)
    events, truths = simulate_customers(60, 200, 1_580_515_200_000, seed=9)
    assert history.time_ms.tolist() == [event.time_ms for event in events]
    assert sorted(history.amount) == pytest.approx(sorted(event.amount for event in events))
    assert read_history(d).fingerprint() == history.fingerprint()
    with (tmp_path / "a.csv.truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["customer"], row["left"], row["why"]) for row in rows] == [(t.customer, str(int(t.left)), t.why) for t in truths]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["x.parquet"], "only .csv and .jsonl (also .gz) are written"),
        (["x.csv", "--start", "1970-01-01"], "--start: 1970-01-01 and 365 days reach beyond 1980 to 2099"),
        (["x.csv", "--currency", "euro"], "--currency: 'euro' is not an ISO 4217 code"),
        (["no/such/folder/x.csv", "--customers", "1"], "No such file or directory"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_one_line(
    args: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(*args) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert said in err
