"""What /metrics shows: the declared set, closed labels, and series that end with the partition."""

from __future__ import annotations

import re

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from alerts.policy import ReasonCode
from streams.dead_letters import DeadReason
from streams.runtime.metrics import CLOCK_STATES, Metrics
from streams.segments import SEGMENTS

NAMES = {
    *("events", "duplicates", "unknown_fields", "batches", "batch_rows", "dead_letters", "watermark_timestamp_seconds"),
    *("lag_events", "commit_seconds", "commit_retries", "fold_seconds", "risk", "customers", "alerts", "decisions"),
    *(
        "outbox_depth",
        "outbox_published",
        "model_age_seconds",
        "models_refused",
        "model_wait_seconds",
        "model_info",
        "epoch",
        "partitions_owned",
        "clock_state",
    ),
    *("intake_buffered_bytes", "cache_rows", "build_info", "events_lost", "triggers"),
    *("erasures", "events_erased", "customers_forgotten"),
    *("channel_messages", "channel_failures", "channel_backlog", "waiting_seconds", "commit_age_seconds"),
}


class Shown:
    """Metrics and what a scrape of them says."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.metrics = Metrics(CollectorRegistry(), channels=("sales",), now_s=lambda: self.now_s)

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        text = generate_latest(self.metrics.registry).decode()
        families = text_string_to_metric_families(text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def get(self, name: str, **labels: str) -> float | None:
        return self.samples().get((f"churnwatch_{name}", frozenset(labels.items())))

    def labels(self, name: str) -> set[frozenset[tuple[str, str]]]:
        return {labels for found, labels in self.samples() if found == f"churnwatch_{name}"}


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_the_set_of_metrics_is_the_declared_one(shown: Shown) -> None:
    families = text_string_to_metric_families(generate_latest(shown.metrics.registry).decode())
    found = {family.name for family in families if not family.name.endswith("_created")}
    assert found == {f"churnwatch_{name}" for name in NAMES}


def test_no_label_can_carry_a_customer(shown: Shown) -> None:
    shown.metrics.own(0)
    shown.metrics.clock(0, "wait")
    shown.metrics.model("btyd", "1", 0.0)
    allowed = {"topic", "reason", "tier", "segment", "decision", "outcome", "partition", "state", "model", "version", "python"}
    allowed |= {"le", "channel", "server"}
    assert {label for _, labels in shown.samples() for label, _ in labels} == allowed


def test_counters_are_zero_before_their_first_event_and_their_labels_are_closed(shown: Shown) -> None:
    assert {value for labels in shown.labels("dead_letters_total") for _, value in labels} == set(DeadReason)
    assert {value for labels in shown.labels("decisions_total") for _, value in labels} == {r.name.lower() for r in ReasonCode}
    assert shown.get("events_total", topic="logins") == 0
    assert shown.get("alerts_total", tier="high", decision="escalated") == 0
    shown.metrics.dead_letters[DeadReason.NOT_JSON].inc(3)
    assert shown.get("dead_letters_total", reason="not_json") == 3
    with pytest.raises(KeyError):
        shown.metrics.events["customer-17"]


def test_a_partition_that_is_lost_leaves_no_series_and_the_others_stay(shown: Shown) -> None:
    metrics = shown.metrics
    for partition in (1, 11):
        metrics.own(partition)
        metrics.watermark.labels(str(partition)).set(5)
        metrics.clock(partition, "advance")
        metrics.customers.put(partition, np.ones((4, len(SEGMENTS)), np.int64))
    metrics.lose(1)
    metrics.lose(1)
    partitions = {value for _, labels in shown.samples() for label, value in labels if label == "partition"}
    assert partitions == {"11"}
    assert shown.get("lag_events", topic="purchases", partition="11") == 0
    assert shown.get("customers", tier="high", segment="new") == 1


def test_the_clocks_states_are_those_that_its_rule_can_give() -> None:
    held = {"clocks_apart", "broker_unreachable", "lag_not_shrinking", "heartbeat_missing", "low_inflow"}
    assert set(CLOCK_STATES) == {"advance", "low_inflow_released", "wait", *held}


def test_the_clock_is_in_one_state_at_a_time(shown: Shown) -> None:
    for state in ("advance", "low_inflow"):
        shown.metrics.clock(2, state)
    states = {state: shown.get("clock_state", partition="2", state=state) for state in CLOCK_STATES}
    assert states == {state: float(state == "low_inflow") for state in CLOCK_STATES}
    with pytest.raises(ValueError, match="frozen"):
        shown.metrics.clock(2, "frozen")


def test_a_models_age_grows_by_itself_and_its_former_version_goes(shown: Shown) -> None:
    shown.metrics.model("btyd", "1", made_at_s=400.0)
    shown.metrics.model("btyd", "2", made_at_s=900.0)
    shown.now_s = 1060.0
    assert shown.get("model_age_seconds", model="btyd") == 160.0
    assert shown.labels("model_info") == {frozenset({("model", "btyd"), ("version", "2")})}


def test_parameters_without_a_date_have_no_age_but_are_named(shown: Shown) -> None:
    shown.metrics.model("btyd", "shipped", made_at_s=None)
    assert shown.labels("model_age_seconds") == set()
    assert shown.get("model_info", model="btyd", version="shipped") == 1
    shown.metrics.model("btyd", "ours", made_at_s=400.0)
    assert shown.get("model_age_seconds", model="btyd") == 600.0
    shown.metrics.model("btyd", "shipped", made_at_s=None)
    assert shown.labels("model_age_seconds") == set()


def test_risk_falls_into_the_bucket_whose_edge_it_does_not_exceed(shown: Shown) -> None:
    risks = np.array([0, 1, 500, 501, 9999, 10_000, 5000], np.uint16)
    shown.metrics.risk.observe(risks[:3])
    shown.metrics.risk.observe(risks[3:])
    shown.metrics.risk.observe(risks[:0])
    for edge_bp in range(500, 10_001, 500):
        expected = sum(1 for risk in risks.tolist() if risk <= edge_bp)
        assert shown.get("risk_bucket", le=str(edge_bp / 10_000)) == expected
    assert shown.get("risk_count") == shown.get("risk_bucket", le="+Inf") == len(risks)
    assert shown.get("risk_sum") == pytest.approx(2.6001)


def test_a_risk_above_one_is_refused_and_not_counted(shown: Shown) -> None:
    with pytest.raises(ValueError, match="10501"):
        shown.metrics.risk.observe(np.array([10_501], np.uint16))
    assert shown.get("risk_count") == 0


def test_customers_are_summed_over_partitions_and_follow_changes(shown: Shown) -> None:
    table = np.zeros((4, len(SEGMENTS)), np.int64)
    table[0, 1] = 5
    shown.metrics.customers.put(0, table)
    shown.metrics.customers.add(3, table)
    moved = np.zeros_like(table)
    moved[0, 1], moved[2, 8] = -1, 1
    shown.metrics.customers.add(3, moved)
    assert shown.get("customers", tier="none", segment=SEGMENTS[1]) == 9
    assert shown.get("customers", tier="high", segment=SEGMENTS[8]) == 1
    with pytest.raises(ValueError, match="was expected"):
        shown.metrics.customers.put(0, table[:3])


def test_names_use_base_units_and_promise_nothing_milli(shown: Shown) -> None:
    names = {name for name, _ in shown.samples()}
    assert names
    assert not [name for name in names if re.search(r"_(ms|millis|milliseconds|minutes|kb|kib|percent|bp)(_|$)", name)]


def test_two_metrics_cannot_share_a_registry(shown: Shown) -> None:
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(shown.metrics.registry)
