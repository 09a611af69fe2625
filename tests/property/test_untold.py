"""Messages without words are the same messages, and nothing else depends on whether words were asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from alerts.alert import TIERS
from alerts.ids import rfc3339
from alerts.policy import ReasonCode
from streams.columns import EVENT_KINDS, TICK
from streams.customer import row_bytes
from streams.engine import advance
from streams.table import CustomerTable
from tests.support.engine_rules import any_rules, served
from tests.support.examples import examples
from tests.support.streams_of_rows import as_columns, rows


@given(rows(max_rows=50), any_rules())
@examples(40)
def test_untold_messages_are_those_told(events, rules):
    batch = as_columns(events)
    told, untold = (advance(CustomerTable(), batch, 0, rules, served(rules), told=words) for words in (True, False))
    assert untold.alerts == []
    assert (untold.ids, row_bytes(untold.records), untold.state.to_bytes()) == (
        told.ids, row_bytes(told.records), told.state.to_bytes()
    )  # fmt: skip
    columns = untold.transitions
    in_columns = zip(
        map(rfc3339, columns.as_of_ms.tolist()), columns.customers, columns.number.tolist(),
        [ReasonCode(code).name.lower() for code in columns.reason.tolist()],
        [TIERS[tier] for tier in columns.tier.tolist()], [TIERS[tier] for tier in columns.previous_tier.tolist()],
        (columns.risk_bp / 10_000).tolist(), strict=True,
    )  # fmt: skip
    in_words = [(a.as_of, a.customer_id, a.transition, a.decision, a.tier, a.previous_tier, a.risk) for a in told.alerts]
    assert sorted(in_columns) == sorted(in_words)


@given(rows(max_rows=50), any_rules())
@examples(40)
def test_without_the_repeats_nothing_is_repeated_and_the_rows_are_the_same(events, rules):
    batch = as_columns(events)
    once = advance(CustomerTable(), batch, 0, rules, served(rules), told=False)
    kinds = batch.kind[once.repeats]
    assert np.bincount(kinds[kinds != TICK], minlength=EVENT_KINDS).tolist() == list(once.stats.duplicates)
    kept = np.setdiff1d(np.arange(len(batch)), once.repeats)
    without = advance(CustomerTable(), batch.take(kept), 0, rules, served(rules), told=False)
    assert len(without.repeats) == 0
    assert sum(without.stats.events) == sum(once.stats.events)
