"""Events of a history on disk: sorted whatever the order of the file, and the numbers that the live system would see."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.cause_model import CauseModel
from streams.backtest.event_log import EventLog
from streams.backtest.event_rows import EVENT
from streams.backtest.history import HistoryError, read_histories
from streams.backtest.loading import load
from streams.backtest.mapping import find_source
from streams.backtest.payloads import tick_times, to_columns
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.backtest.stretches import columns_of
from streams.columns import TICK
from streams.contract import EventRules
from streams.runtime.cause_files import shipped_snapshot
from tests.support.examples import examples

RULES = EventRules("USD", {"USD": 1.0, "EUR": 1.5}, None, CauseModel(shipped_snapshot()))
HEADER = "type,customer_id,occurred_at,amount,currency\n"


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=12), max_size=7),
    st.integers(1, 40),
)
@examples(200)
def test_any_parts_come_back_whole_and_in_order(parts, rows_in_memory):
    with tempfile.TemporaryDirectory() as folder:
        log, order, everything = EventLog(Path(folder), rows_a_run=1), 0, []
        for part in parts:
            rows = np.zeros(len(part), EVENT)
            for at, (time_ms, rank) in enumerate(part):
                rows["time_ms"][at], rows["rank"][at], rows["order"][at] = time_ms, rank, order
                everything.append((time_ms, rank, order))
                order += 1
            log.add(rows)
        log.finish()
        blocks = list(log.blocks(rows_in_memory))
    read = [row for block in blocks for row in zip(*(block[name].tolist() for name in ("time_ms", "rank", "order")), strict=True)]
    assert read == sorted(everything)
    assert log.events == len(everything)
    assert (log.first_ms, log.last_ms) == ((read[0][0], read[-1][0]) if read else (0, 0))
    open_runs = max(1, sum(1 for part in parts if part))
    assert all(len(block) <= max(rows_in_memory, open_runs) for block in blocks)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """Customers who buy, return, log in and complain; the file's rows shuffled."""
    path = tmp_path_factory.mktemp("history") / "events.csv"
    write_history(path, simulate_customers(60, 200, 867_715_200_000, 3)[0], "EUR", "s-")
    header, *rows = path.read_text().splitlines(keepends=True)
    np.random.default_rng(5).shuffle(rows)
    path.write_text(header + "".join(rows))
    return path


@pytest.mark.parametrize("rows_a_part", [97, 100_000])
def test_the_engine_is_given_what_a_worker_is_given(simulated, tmp_path, monkeypatch, rows_a_part):
    monkeypatch.setattr("streams.backtest.loading.ROWS_A_PART", rows_a_part)
    sources = [find_source(str(simulated))]
    loaded = load(sources, tmp_path, RULES)
    expected = to_columns(read_histories(sources), RULES, 3)
    rows = np.concatenate(list(loaded.log.blocks()))
    assert len(np.unique(rows["cause"])) > 3  # complaints of several kinds
    ids, partition = loaded.customers.ids(), loaded.customers.partitions(3)
    ticks_ms = tick_times(loaded.log.first_ms, loaded.log.last_ms)
    for number, columns in expected.items():
        got = columns_of(rows[partition[rows["customer"]] == number], ticks_ms, ids)
        for name in ("customer", "kind", "time_ms", "amount_minor", "severity", "cause", "id_hash", "rank"):
            assert getattr(got, name).tolist() == getattr(columns, name).tolist(), name
        assert (got.kind == TICK).sum() == len(ticks_ms)


def test_a_history_in_one_currency_without_a_rate_is_taken_in_it(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text(HEADER + "login,a,2020-01-01T00:00:00Z,,\npurchase,a,2020-01-02T00:00:00Z,2.5,GBP\n")
    loaded = load([find_source(str(path))], tmp_path, RULES)
    (rows,) = loaded.log.blocks()
    assert (loaded.money.base_currency, rows["amount_minor"].tolist()) == ("GBP", [0, 250])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("purchase,a,2020-01-01T00:00:00Z,1,USD\npurchase,a,2020-01-01T00:00:00Z,1,GBP\n", "row 2: no rate for the currency GBP"),
        ("purchase,a,2020-01-01T00:00:00Z,1,GBP\npurchase,a,2020-01-01T00:00:00Z,1,USD\n", "row 2: no rate for the currency USD"),
        ("purchase,a,2020-01-01T00:00:00Z,1e13,USD\n", "row 1: amount 1e\\+13"),
        ("purchase,,2020-01-01T00:00:00Z,1,USD\nx,b,2020-01-01T00:00:00Z,1,USD\n", "2 bad rows"),
        ("", "no usable event"),
    ],
)
def test_what_the_system_would_not_take_is_refused(tmp_path, rows, message):
    path = tmp_path / "h.csv"
    path.write_text(HEADER + rows)
    with pytest.raises(HistoryError, match=message):
        load([find_source(str(path))], tmp_path, RULES)


def test_bad_rows_are_left_out_counted_and_the_first_kept(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text(HEADER + "x,a,2020-01-01T00:00:00Z,1,USD\n" * 30 + "purchase,a,2020-01-01T00:00:00Z,1,USD\n")
    loaded = load([find_source(str(path))], tmp_path, RULES, skip_bad=True)
    assert (loaded.log.events, loaded.skipped.count, len(loaded.skipped.first)) == (1, 30, 20)
    (rows,) = loaded.log.blocks()
    assert rows["order"].tolist() == [30]


def test_a_full_disk_is_told(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text(HEADER + "purchase,a,2020-01-01T00:00:00Z,1,USD\n")
    with pytest.raises(HistoryError, match="TMPDIR"):
        load([find_source(str(path))], tmp_path / "not there", RULES)
