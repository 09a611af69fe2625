"""What a digest says of the messages that it stands for."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert, Digest, Message, decode_any, encode
from alerts.digest import KEPT, NAMED, DigestBuilder
from alerts.render import digest_card, digest_line
from detectors.actions import TIERS
from tests.support.messages import a_message, catch_up, no_data

NOW_MS = 1_700_000_000_000


def digest_of(*messages: Message, channel: str = "chat") -> Digest:
    builder = DigestBuilder(channel)
    for message in messages:
        builder.add(message, NOW_MS)
    return builder.build(NOW_MS + 60_000)


def test_it_counts_by_tier_what_fires_and_only_as_a_number_what_ended() -> None:
    digest = digest_of(a_message("a"), a_message("b", "escalated"), a_message("c", "resolved"), no_data())
    assert (digest.kind, digest.alerts, digest.by_tier) == ("overflow", 4, {"watch": 1, "critical": 1})
    assert [entry.customer_id for entry in digest.top] == ["b", "a"]
    assert (digest.since, digest.until) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:14:20.000Z")
    assert decode_any(encode(digest)) == digest


def test_the_most_pressing_come_first_by_tier_then_risk_then_value_then_time() -> None:
    stake = a_message().value_at_stake
    richer = msgspec.structs.replace(stake, amount_minor=stake.amount_minor + 1)
    digest = digest_of(
        a_message("watch, sure", risk=1.0),
        a_message("critical", tier=3, risk=0.2),
        a_message("high, first", tier=2, risk=0.5),
        a_message("high, later", tier=2, risk=0.5),
        a_message("high, rich", tier=2, risk=0.5, value_at_stake=richer),
        a_message("high, likely", tier=2, risk=0.6),
    )
    names = ["critical", "high, likely", "high, rich", "high, first", "high, later", "watch, sure"]
    assert [entry.customer_id for entry in digest.top] == names


def test_a_customer_is_named_once_as_it_was_last_and_not_after_the_end() -> None:
    digest = digest_of(a_message("a"), a_message("a", "escalated", 2), a_message("b"), a_message("b", "resolved", 2))
    assert [(entry.customer_id, entry.tier) for entry in digest.top] == [("a", "critical")]


def test_a_digest_within_a_digest_counts_as_what_it_stands_for() -> None:
    digest = digest_of(a_message("a"), catch_up(1_000))
    assert (digest.alerts, digest.by_tier) == (1_001, {"watch": 1_000, "critical": 1})
    assert [entry.customer_id for entry in digest.top] == ["c-1", "a"]


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 3), st.integers(0, 100)), max_size=150))
def test_it_names_whom_sorting_all_of_them_would_name(cases: list[tuple[int, int, int]]) -> None:
    alerts = [a_message(f"c{k}", tier=tier, risk=risk / 100) for k, tier, risk in {case[0]: case for case in cases}.values()]
    expected = sorted(alerts, key=lambda alert: (-TIERS.index(alert.tier), -alert.risk))[:NAMED]
    digest = digest_of(*alerts)
    assert [entry.customer_id for entry in digest.top] == [alert.customer_id for alert in expected]
    assert digest.by_tier == Counter(alert.tier for alert in alerts)


def test_its_memory_stays_the_same_however_many_come() -> None:
    builder = DigestBuilder("chat")
    for k in range(5 * KEPT):
        builder.add(a_message(f"c{k}"), NOW_MS)
    assert builder.messages == 5 * KEPT
    assert len(builder._top) == KEPT


def test_the_id_is_of_the_channel_and_of_what_it_stands_for() -> None:
    one, other = a_message("a"), a_message("b")
    ids = [digest_of(one).digest_id, digest_of(one, other).digest_id, digest_of(one, channel="mail").digest_id]
    assert len({*ids}) == 3
    assert digest_of(one).digest_id == ids[0]


def test_after_it_was_delivered_another_begins() -> None:
    builder = DigestBuilder("chat")
    builder.add(a_message("a"), NOW_MS)
    builder.clear()
    assert builder.messages == 0
    assert builder.build(NOW_MS).alerts == 0


@pytest.mark.parametrize(
    ("digest", "line"),
    [
        (digest_of(a_message("a")), "DIGEST  1 alert not told singly  1 watch"),
        (digest_of(a_message("a", "resolved")), "DIGEST  1 alert not told singly"),
        (catch_up(4_940), "DIGEST  4,940 alerts left by history  1 critical, 4939 watch"),
    ],
)
def test_its_line(digest: Digest, line: str) -> None:
    assert digest_line(digest) == line


def test_its_card_names_the_most_pressing_each_on_one_line() -> None:
    named: list[Alert] = [a_message(f"c{k}\n{k}", risk=k / 100) for k in range(30)]
    lines = digest_card(digest_of(*named)).splitlines()
    assert len(lines) == 1 + NAMED + 2
    assert lines[1].startswith("  top       WATCH  c29\\u000a29  risk 0.29")
    assert lines[-2] == "  from      2023-11-14T22:13:20.000Z to 2023-11-14T22:14:20.000Z; every one is on churn.alerts"
