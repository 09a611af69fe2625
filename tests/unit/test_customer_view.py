"""`churnwatch customer`: what is told of one customer equals what a person would count from the events."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from detectors.btyd import p_no_purchase
from detectors.parameters import SHIPPED
from streams.cli.customer import rendered
from streams.columns import CANCELLATION, COMPLAINT, LOGIN, PURCHASE, REFUND, Columns, empty_columns
from streams.engine import advance
from streams.runtime.customer_view import CustomerView, Judges, build_view
from streams.runtime.partitioner import partition_of
from streams.table import CustomerTable
from tests.support.engine_rules import engine_rules, served


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def events(*told: tuple[str, int, int, int]) -> Columns:
    """(time, kind, amount in minor units, severity) of one customer, in order."""
    columns = empty_columns(len(told))
    columns.customer[:] = "c-17"
    for k, (time, kind, amount, severity) in enumerate(told):
        columns.time_ms[k], columns.kind[k], columns.amount_minor[k], columns.severity[k] = ms(time), kind, amount, severity
        columns.id_hash[k] = k + 1
    return columns


LIFE = events(
    ("2024-01-01T10:00", PURCHASE, 1000, 0),
    ("2024-01-15T10:00", PURCHASE, 2000, 0),
    ("2024-01-16T09:00", REFUND, 500, 0),
    ("2024-01-29T10:00", PURCHASE, 3000, 0),
    ("2024-02-03T13:00", COMPLAINT, 0, 5),
    ("2024-02-04T08:30", LOGIN, 0, 0),
)


def view(as_of: str, life: Columns = LIFE) -> CustomerView:
    table = CustomerTable()
    rules = engine_rules()
    table.apply(advance(table, life, ms(as_of), rules, served(rules)))
    row = table.records[table.rows(["c-17"])]
    return build_view("c-17", 1, row, table.state.watermark_ms, Judges(rules, served(rules)))


class TestView:
    def test_risk_is_the_closed_form_at_the_watermark(self) -> None:
        told = view("2024-03-29T10:00")
        expected = p_no_purchase(SHIPPED, np.array([2.0]), np.array([28.0]), np.array([88.0]), 90.0)[0]
        assert told.as_of == "2024-03-29T10:00:00.000Z"
        assert told.risk == pytest.approx(expected, abs=5e-5)

    def test_facts_are_what_happened(self) -> None:
        known = view("2024-03-29T10:00").facts
        assert (known.purchases, known.logins, known.complaints, known.refunds) == (3, 1, 1, 1)
        assert (known.spent_minor, known.refunded_minor) == (6000, 500)
        assert (known.usual_gap_days, known.idle_days) == (14.0, 60.0)

    def test_a_cancellation_is_among_the_moments_and_no_alert_is_open(self) -> None:
        gone = Columns.concat([LIFE, events(("2024-02-10T10:00", CANCELLATION, 0, 0))])
        gone.id_hash[-1] = 99
        told = view("2024-06-29T10:00", gone)
        assert (told.timeline[0].at[:10], told.timeline[0].what, told.tier) == ("2024-02-10", "cancelled", "none")
        assert view("2024-06-29T10:00").tier != "none", "without it one would be"

    def test_the_timeline_runs_from_the_newest_to_the_first_event(self) -> None:
        moments = view("2024-02-05T10:00").timeline
        assert [(moment.at[:10], moment.what) for moment in moments] == [
            ("2024-02-04", "latest login"),
            ("2024-02-03", "complaint, severity 5"),
            ("2024-01-29", "latest purchase"),
            ("2024-01-29", "an alert ended"),  # fired between the 15th and the 29th, resolved by the purchase
            ("2024-01-15", "purchase day"),
            ("2024-01-01", "first seen"),
            ("2024-01-01", "purchase day"),
        ]

    def test_an_alert_that_fires_is_told_with_its_id_and_time(self) -> None:
        told = view("2024-08-01T00:00")
        assert told.tier == "critical"
        assert told.alert_id is not None
        assert told.alerted_since is not None
        assert told.alerted_since < told.as_of
        assert any(moment.what == "alert fired; now critical" for moment in told.timeline)

    def test_without_a_purchase_there_is_no_risk_to_tell(self) -> None:
        told = view("2024-03-01T00:00", events(("2024-01-01T10:00", LOGIN, 0, 0)))
        assert (told.risk, told.reasons, told.next_look) == (None, [], None)


def test_the_page_says_who_how_likely_why_and_when() -> None:
    from rich.console import Console

    console = Console(width=110, record=True, force_terminal=False)
    console.print(rendered(view("2024-03-29T10:00"), "USD"))
    page = console.export_text()
    for part in ("c-17", "no order for 60 days; usually every 14", "60.00 USD", "complaint, severity 5", "every 14 days"):
        assert part in page


@pytest.mark.parametrize("customer", ["c-17", "客户", "x" * 128, ""])
def test_the_partition_is_the_one_that_kafkas_default_partitioner_takes(customer: str) -> None:
    from aiokafka.partitioner import DefaultPartitioner

    assert partition_of(customer, 12) == DefaultPartitioner()(customer.encode(), list(range(12)), list(range(12)))
