"""A part of a CSV file read by columns is what it is row by row, or is left to be read so."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.csv_columns import CsvColumns, Unusual, as_columns
from streams.backtest.event_log import EventLog
from streams.backtest.event_rows import EVENT
from streams.backtest.files import named
from streams.backtest.history import HistoryError, parsed
from streams.backtest.ids_apart import check_ids_apart
from streams.backtest.loading import load
from streams.backtest.mapping import COLUMNS, Mapping, find_source
from streams.backtest.rows import RowParser
from streams.contract import EventRules
from tests.support.examples import examples

RULES = EventRules("USD", {"USD": 1.0, "EUR": 1.5}, None)

TYPES = st.sampled_from(["cancellation", "purchase", "refund", "complaint", "login", "purchase", "", "kauf", "x"])
IDS = st.sampled_from(["a", "ä€", "b'\"", "c" * 128, "c" * 129, "", "00017", "two\nlines", "\\"])
TIMES = st.sampled_from(
    [
        *("2020-01-02T03:04:05Z", "2020-01-02T03:04:05.678Z", "2020-01-02 03:04:05Z", "2020-01-02T03:04:05", "1577934245678"),
        *("2020-02-30T00:00:00Z", "2020-01-02T24:00:00Z", "2020-01-02T03:04:60Z", "1979-12-31T23:59:59Z", "0000-01-01T00:00:00Z"),
        *("2020-01-02T03:04:05+01:00", "2020-01-02", "", "99999", "2020-01-02T03:04:05.6Z", "٢٠٢٠-01-02T03:04:05Z"),
        "2020-01-02T03:04:05Z\n2020-01-02T03:04:05Z",
    ]
)
AMOUNTS = st.sampled_from(
    ["1", "19.99", "-5", "0", "-0", "1e3", ".5", "5.", "+7", "", "nan", "inf", "1e999", "1_0", " 1", "1\n2", "٣"]
)
CURRENCIES = st.sampled_from(["USD", "EUR", "", "usd", "GB"])
SEVERITIES = st.sampled_from(["", "1", "5", "0", "3.0", "x"])
ROWS = st.tuples(
    TYPES, IDS, TIMES, AMOUNTS, CURRENCIES, SEVERITIES, st.sampled_from(["", "late"]), st.sampled_from(["", "Zu spät"]), IDS
)
USUAL = st.tuples(
    st.sampled_from(["purchase", "refund", "complaint", "login", "cancellation"]),
    st.sampled_from(["a", "ä€", "b'\"", "c" * 128]),
    st.just("2020-01-02T03:04:05.678Z"), st.sampled_from(["1", "19.99", "-5", "1e3", ".5"]), st.sampled_from(["USD", "EUR"]),
    st.sampled_from(["", "1", "5"]), st.sampled_from(["", "late"]), st.sampled_from(["", "Zu spät"]), st.sampled_from(["", "e1"]),
)  # fmt: skip
MAPPINGS = st.sampled_from(
    [
        Mapping(), Mapping(), Mapping(currency="EUR", id_prefix="eu-"), Mapping(default_type="login", types={"kauf": "purchase"}),
        Mapping(time_zone="UTC"), Mapping(time_zone="Europe/Berlin"), Mapping(time_format="epoch_s"),
    ]
)  # fmt: skip


def row_by_row(rows, mapping: Mapping, names):
    bad = []
    events = parsed((named(list(names), list(row)) for row in rows), 5, RowParser(mapping), Path("h.csv"), bad.append)
    return list(events), bad


@given(
    st.one_of(st.lists(ROWS, min_size=1, max_size=6), st.lists(USUAL, min_size=1, max_size=8)),
    MAPPINGS,
    st.sets(st.sampled_from(COLUMNS[3:])),
)
@examples(1500)
def test_what_is_read_by_columns_is_what_is_read_row_by_row(rows, mapping, absent):
    kept = [place for place, name in enumerate(COLUMNS) if name not in absent]
    names, rows = [COLUMNS[place] for place in kept], [[row[place] for place in kept] for row in rows]
    events, bad = row_by_row(rows, mapping, names)
    try:
        columns = CsvColumns(mapping, names).read(rows, 5)
    except Unusual:
        return
    assert not bad
    for got, expected in zip(columns, as_columns(events), strict=True):
        assert list(got) == list(expected)
        assert getattr(got, "dtype", None) == getattr(expected, "dtype", None)


@given(st.lists(USUAL, min_size=1, max_size=20))
@examples(100)
def test_usual_rows_are_read_by_columns(rows):
    rows = [row if row[0] != "refund" else (*row[:3], "2", *row[4:]) for row in rows]
    assert len(CsvColumns(Mapping(), COLUMNS).read(rows, 1).row) == len(rows)


def test_rows_of_another_width_are_unusual():
    with pytest.raises(Unusual):
        CsvColumns(Mapping(), COLUMNS).read([["login", "a"]], 1)


def test_a_bad_row_in_a_large_file_is_named_by_its_number(tmp_path):
    path = tmp_path / "h.csv"
    good = "login,a,2020-01-01T00:00:00Z\n"
    path.write_text("type,customer_id,occurred_at\n" + good * 4_321 + "login,,2020-01-01T00:00:00Z\n" + good * 50)
    with pytest.raises(HistoryError, match=r"row 4322: customer_id = ''"):
        load([find_source(str(path))], tmp_path, RULES)
    loaded = load([find_source(str(path))], tmp_path, RULES, skip_bad=True)
    (rows,) = loaded.log.blocks()
    assert rows["order"].tolist() == [*range(4_321), *range(4_322, 4_372)]


def test_two_files_with_one_event_id_are_refused(tmp_path):
    for name, ids in (("one", range(20)), ("two", [*range(100, 110), 7, 3])):
        rows = "".join(f"login,a,2020-01-01T00:00:00Z,{number}\n" for number in ids)
        (tmp_path / f"{name}.csv").write_text("type,customer_id,occurred_at,event_id\n" + rows)
    sources = [find_source(str(tmp_path / f"{name}.csv")) for name in ("one", "two")]
    with pytest.raises(HistoryError, match=r"row 1[12] of two.csv has the event_id of row [48] of one.csv, and 1 more"):
        load(sources, tmp_path, RULES)


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=8), min_size=1, max_size=4), st.integers(1, 40))
@examples(200)
def test_ids_are_apart_when_no_two_files_share_one(files, hashes_in_memory):
    starts = np.cumsum([0, *map(len, files)]).tolist()
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(Path(folder), rows_a_run=3)
        for start, ids in zip(starts, files, strict=False):
            rows = np.zeros(len(ids), EVENT)
            rows["id_hash"], rows["order"] = ids, np.arange(start, start + len(ids))
            log.add(rows)
        log.finish()
        shared = sum(map(len, map(set, files))) > len(set().union(*files))
        names = [f"{k}.csv" for k in range(len(files))]
        try:
            check_ids_apart(log, starts[:-1], names, hashes_in_memory)
        except HistoryError:
            assert shared
        else:
            assert not shared


def test_two_files_that_share_no_id_are_taken_in_one_order(tmp_path):
    (tmp_path / "one.csv").write_text(
        "type,customer_id,occurred_at\nlogin,a,2020-01-01T00:00:02Z\nlogin,b,2020-01-01T00:00:00Z\n"
    )
    (tmp_path / "two.jsonl").write_text('{"type":"login","customer_id":"c","occurred_at":"2020-01-01T00:00:02Z"}\n')
    loaded = load([find_source(str(tmp_path / name)) for name in ("one.csv", "two.jsonl")], tmp_path, RULES)
    (rows,) = loaded.log.blocks()
    assert loaded.customers.ids()[rows["customer"]].tolist() == ["b", "a", "c"]
    assert rows["order"].tolist() == [1, 0, 2]
