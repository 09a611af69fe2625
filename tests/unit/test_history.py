"""History files: what is read, in which order, what is refused and in which words."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from aiokafka.partitioner import DefaultPartitioner  # not the code under test

from streams.backtest.history import History, HistoryError, merge_histories, read_histories, read_history
from streams.backtest.mapping import Mapping, find_source, load_mapping, parse_mapping, shipped_mappings
from streams.backtest.payloads import partitions_of, payloads, tick_times, to_columns
from streams.cli.replay import find_sources
from streams.columns import CANCELLATION, COMPLAINT, DAY_MS, LOGIN, PURCHASE, REFUND, TICK
from streams.events import EventRules

HEADER = "type,customer_id,occurred_at,amount,currency,severity,category,text,event_id\n"
INVOICES = Path(__file__).parents[2] / ".." / "shared" / "data" / "online_retail_ii_invoices.csv.gz"
RULES = EventRules("USD", {"USD": 1.0, "EUR": 1.5}, None)


def history_of(
    tmp_path: Path, rows: str, mapping: Mapping | None = None, *, header: str = HEADER, name: str = "h.csv"
) -> History:
    path = tmp_path / name
    path.write_text(header + rows)
    return read_history(path, mapping)


def refusal(tmp_path: Path, rows: str, mapping: Mapping | None = None) -> str:
    with pytest.raises(HistoryError) as caught:
        history_of(tmp_path, rows, mapping)
    return str(caught.value)


def test_events_are_sorted_by_time_then_topic_then_row(tmp_path: Path) -> None:
    history = history_of(
        tmp_path,
        "login,a,2020-01-02T00:00:00Z,,,,,,L\n"
        "complaint,a,2020-01-02T01:00:00+01:00,,,,,,C\n"
        "purchase,b,2020-01-02T00:00:00Z,2,EUR,,,,P1\n"
        "purchase,a,1577923200000,3,EUR,,,,P2\n"
        "purchase,a,2020-01-01T23:59:59.999Z,1,EUR,,,,P0\n",
    )
    assert history.event_id.tolist() == ["P0", "P1", "P2", "C", "L"]
    assert history.row.tolist() == [5, 3, 4, 2, 1]
    assert history.rank.tolist() == [0, 0, 0, 1, 2]
    assert history.time_ms.tolist() == [1577923199999] + 4 * [1577923200000]


def test_a_negative_purchase_and_a_refund_of_either_sign_are_refunds(tmp_path: Path) -> None:
    rows = "purchase,a,2020-01-01T00:00:00Z,-5,EUR,,,,\nrefund,a,2020-01-01T00:00:00Z,5,EUR,,,,\n"
    rows += "refund,a,2020-01-01T00:00:00Z,-5,EUR,,,,\n"
    history = history_of(tmp_path, rows)
    assert history.kind.tolist() == [REFUND] * 3
    assert history.amount.tolist() == [5.0] * 3
    assert [json.loads(value)["amount"] for _, _, value, _ in payloads(history)] == [-5.0] * 3


def test_equal_rows_are_real_and_get_ids_of_their_own(tmp_path: Path) -> None:
    row = "purchase,a,2020-01-01T00:00:00Z,5,EUR,,,,\n"
    history = history_of(tmp_path, row + row)
    assert len(set(history.event_id)) == 2
    assert history_of(tmp_path, row + row).event_id.tolist() == history.event_id.tolist()
    assert set(history_of(tmp_path, row.replace(",5,", ",6,")).event_id).isdisjoint(history.event_id)


@pytest.mark.parametrize("name", ["h.csv.gz", "h.jsonl", "h.jsonl.gz"])
def test_every_format_gives_the_same_events(tmp_path: Path, name: str) -> None:
    rows = "purchase,a,2020-01-01T00:00:00Z,5.5,EUR,,,,x1\ncomplaint,ü,2020-01-02T00:00:00Z,,,5,late,zu spät,x2\n"
    rows += "login,a,2020-01-03T00:00:00Z,,,,,,x3\n"
    plain = history_of(tmp_path, rows)
    names = HEADER.strip().split(",")
    lines = [json.dumps(dict(zip(names, row.split(","), strict=True))) for row in rows.splitlines()]
    text = HEADER + rows if "csv" in name else "\n".join(lines) + "\n\n"
    content = text.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert read_history(path).fingerprint() == plain.fingerprint()


def test_json_lines_may_carry_numbers_and_nulls(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(
        '{"type":"purchase","customer_id":17,"occurred_at":1577836800000,"amount":5,"currency":"EUR","text":null,"more":[1]}\n'
        '{"type":"complaint","customer_id":"17","occurred_at":1577836800001,"severity":4}\n'
    )
    history = read_history(path)
    assert history.customer.tolist() == ["17", "17"]
    assert history.severity.tolist() == [0, 4]
    assert history.amount.tolist() == [5.0, 0.0]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("purchase,a,2020-01-01T00:00:00,5,EUR,,,,", "occurred_at = '2020-01-01T00:00:00': the time has no offset; add one"),
        ("purchase,a,yesterday,5,EUR,,,,", "occurred_at = 'yesterday': write the time as 2009-12-01T07:45:00+00:00"),
        (
            "purchase,a,19970101,5,EUR,,,,",
            "occurred_at = '19970101': the time must lie in 1980 to 2099; for epoch seconds or yyyymmdd",
        ),
        ("purchase,a,1577836800,5,EUR,,,,", "occurred_at = '1577836800': the time must lie in 1980 to 2099"),
        ("purchase,a,2100-01-01T00:00:00Z,5,EUR,,,,", "occurred_at = '2100-01-01T00:00:00Z': the time must lie"),
        ("purchase,,2020-01-01T00:00:00Z,5,EUR,,,,", "customer_id = '': an id is text of 1-128 characters"),
        ("purchase," + 129 * "x" + ",2020-01-01T00:00:00Z,5,EUR,,,,", "shorten it to at most 128 characters"),
        ("purchase,a,2020-01-01T00:00:00Z,,EUR,,,,", "amount = '': write a plain number such as 19.99"),
        ("purchase,a,2020-01-01T00:00:00Z,nan,EUR,,,,", "amount = 'nan'"),
        ("purchase,a,2020-01-01T00:00:00Z,1e999,EUR,,,,", "amount = '1e999'"),
        ("purchase,a,2020-01-01T00:00:00Z,1_000,EUR,,,,", "amount = '1_000'"),
        ("purchase,a,2020-01-01T00:00:00Z,5,euro,,,,", "currency = 'euro': write an ISO 4217 code"),
        (
            "purchase,a,2020-01-01T00:00:00Z,5,,,,,",
            "currency = '': write an ISO 4217 code such as EUR, or give currency in a mapping",
        ),
        ("refund,a,2020-01-01T00:00:00Z,0,EUR,,,,", "amount = '0': a refund needs an amount other than 0"),
        ("complaint,a,2020-01-01T00:00:00Z,,,6,,,", "severity = '6': write a whole number from 1 to 5"),
        ("complaint,a,2020-01-01T00:00:00Z,,,,," + 32_001 * "x" + ",", "write text of at most 32000 characters"),
        ("visit,a,2020-01-01T00:00:00Z,,,,,,", "type = 'visit': write one of purchase, refund, complaint, login, cancellation"),
        ("login,a,2020-01-01T00:00:00Z,,,,,," + 129 * "e", "event_id = "),
        ("login,a", "fields = 2: the header names 9"),
    ],
)
def test_a_bad_row_is_named_with_field_value_and_fix(tmp_path: Path, row: str, said: str) -> None:
    text = refusal(tmp_path, "login,a,2020-01-01T00:00:00Z,,,,,,\n" + row + "\n")
    assert text.startswith("file h.csv: 1 bad row; ")
    assert "\n  row 2: " in text
    assert said in text


def test_all_bad_rows_are_counted_and_twenty_shown(tmp_path: Path) -> None:
    text = refusal(tmp_path, "login,a,soon,,,,,,\n" * 25)
    assert "25 bad rows" in text
    assert text.count("row ") == 20
    assert text.endswith("and 5 more")


def test_bad_rows_may_be_skipped_and_are_kept_for_the_report(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text(HEADER + "login,a,2020-01-01T00:00:00Z,,,,,,\nlogin,a,soon,,,,,,\nlogin,b,2020-01-01T00:00:00Z,,,,,,\n")
    history = read_history(path, skip_bad=True)
    assert history.customer.tolist() == ["a", "b"]
    assert [bad.row for bad in history.skipped] == [2]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "h.csv",
            "type,customer,occurred_at\nlogin,a,2020-01-01T00:00:00Z\n",
            "no column customer_id among type, customer, occurred_at",
        ),
        ("h.csv", "type,type,customer_id,occurred_at\n", "header: type stands there twice"),
        ("h.csv", HEADER, "holds no usable event"),
        ("h.csv", "", "holds no usable event"),
        ("h.csv", HEADER + 'login,"a\n', "check that the file is whole"),
        ("h.txt", "x", "unknown format"),
        ("h.jsonl", "[1]\n", "not a JSON object"),
        ("h.csv", "type,customer_id,occurred_at\nlogin,\udcff,2020-01-01T00:00:00Z\n", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(HistoryError, match=re.escape(said)):
        read_history(path)


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.csv.gz"
    path.write_bytes(gzip.compress((HEADER + "login,a,2020-01-01T00:00:00Z,,,,,,\n" * 500).encode())[:-20])
    with pytest.raises(HistoryError, match="check that the file is whole"):
        read_history(path)


def test_parquet_is_read_or_refused_with_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "h.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        path.write_bytes(b"PAR1")
        with pytest.raises(HistoryError, match="needs the package pyarrow; install it, or convert the file to CSV"):
            read_history(path)
        return
    rows = {
        "type": ["purchase"],
        "customer_id": [7],
        "occurred_at": pd.to_datetime(["2020-01-01T00:00:00Z"]),
        "amount": [5.5],
        "currency": ["EUR"],
    }
    pd.DataFrame(rows).to_parquet(path)
    history = read_history(path)
    assert (history.customer[0], history.time_ms[0], history.amount[0]) == ("7", 1577836800000, 5.5)


def test_local_times_of_a_zone_are_placed_right_in_summer_and_winter(tmp_path: Path) -> None:
    rows = "login,a,2010-01-15T12:00:00,,,,,,\nlogin,a,2010-07-15T12:00:00,,,,,,\n"
    history = history_of(tmp_path, rows, Mapping(time_zone="Europe/London"))
    assert history.time_ms.tolist() == [1263556800000, 1279191600000]  # 12:00Z and 11:00Z


def test_a_mapping_renames_columns_and_values(tmp_path: Path) -> None:
    mapping = parse_mapping(
        "columns: {customer_id: who, occurred_at: at, type: what, amount: total}\n"
        "types: {BUY: purchase, LOOK: login}\ntime_format: epoch_s\ncurrency: EUR\nid_prefix: shop-\n",
        "mine",
    )
    history = history_of(tmp_path, "BUY,7,1577836800,5\nLOOK,7,1577836801.5,\n", mapping, header="what,who,at,total\n")
    assert history.customer.tolist() == ["shop-7", "shop-7"]
    assert history.kind.tolist() == [PURCHASE, LOGIN]
    assert history.time_ms.tolist() == [1577836800000, 1577836801500]
    assert history.currency.tolist() == ["EUR", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colums: {}", "unknown field `colums`"),
        ("columns: {customer: who}", "columns: 'customer' is none of ours"),
        ("types: {x: visit}", "'visit' is none of ours; use one of purchase, refund, complaint, login, cancellation"),
        ("time_zone: Europe/Lundon", "time_zone: 'Europe/Lundon' is not an IANA zone"),
        ("currency: euro", "currency: 'euro' is not an ISO 4217 code"),
        ("format: whitespace", "header: missing"),
        ("a: [", "mapping mine: "),
    ],
)
def test_a_bad_mapping_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(HistoryError, match=re.escape(said)):
        parse_mapping(text, "mine")


def test_shipped_mappings_all_load_and_unknown_names_are_refused() -> None:
    assert shipped_mappings() == ("cdnow", "online-retail-ii")
    assert all(isinstance(load_mapping(name), Mapping) for name in shipped_mappings())
    with pytest.raises(HistoryError, match="name a YAML file or one of cdnow, online-retail-ii"):
        load_mapping("no-such")


def test_maps_are_given_once_or_per_file_and_leave_shorthands_their_own(tmp_path: Path) -> None:
    other = str(tmp_path / "x.csv")
    sources = find_sources([other, "cdnow:"], ["online-retail-ii"], ["a-", "b-"])
    assert [source.mapping.currency for source in sources] == ["GBP", "USD"]
    assert [source.mapping.id_prefix for source in sources] == ["a-", "b-"]
    with pytest.raises(HistoryError, match="--prefix-ids: 1 given for 2 files"):
        find_sources([other, other], [], ["a-"])


def test_histories_merge_by_time_and_refuse_shared_ids(tmp_path: Path) -> None:
    one = history_of(tmp_path, "login,a,2020-01-01T00:00:00Z,,,,,,1\nlogin,a,2020-01-03T00:00:00Z,,,,,,3\n")
    two = history_of(tmp_path, "login,b,2020-01-02T00:00:00Z,,,,,,2\nlogin,b,2020-01-03T00:00:00Z,,,,,,4\n", name="two.csv")
    assert merge_histories([one, two]).event_id.tolist() == ["1", "2", "3", "4"]
    assert merge_histories([two, one]).event_id.tolist() == ["1", "2", "4", "3"]
    with pytest.raises(HistoryError, match="file 2: event_id 1 and 1 more stand in an earlier file too"):
        merge_histories([one, one])


def test_fingerprint_tells_histories_apart(tmp_path: Path) -> None:
    rows = "purchase,a,2020-01-01T00:00:00Z,5,EUR,,,,1\nlogin,b,2020-01-02T00:00:00Z,,,,,,2\n"
    whole = history_of(tmp_path, rows).fingerprint()
    assert history_of(tmp_path, rows, name="other-name.csv").fingerprint() == whole
    changes = [rows.replace(",5,", ",6,"), rows.replace("a,", "c,"), rows.replace("-02T", "-03T"), rows.splitlines()[0] + "\n"]
    assert len({history_of(tmp_path, changed).fingerprint() for changed in changes} | {whole}) == 5


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "tick_days", "run_on_days", "days"),
    [
        (0, 0, 1, 0, [1]),
        (5, DAY_MS, 1, 0, [1]),
        (5, DAY_MS + 1, 1, 0, [1, 2]),
        (0, 3 * DAY_MS, 1, 2, [1, 2, 3, 4, 5]),
        (0, 3 * DAY_MS, 7, 0, [1, 8]),
        (0, 8 * DAY_MS + 1, 7, 0, [1, 8, 15]),
    ],
)
def test_ticks_stand_at_midnights_until_the_last_event_is_passed(
    first_ms: int, last_ms: int, tick_days: int, run_on_days: int, days: list[int]
) -> None:
    assert (tick_times(first_ms, last_ms, tick_days=tick_days, run_on_days=run_on_days) / DAY_MS).tolist() == days


def test_partitions_are_those_of_another_kafka_client(tmp_path: Path) -> None:
    customers = [f"c{n}" for n in range(200)] + ["ü", "顧客", "a" * 128]
    history = history_of(tmp_path, "".join(f"login,{c},2020-01-01T00:00:00Z,,,,,,\n" for c in customers))
    numbers = list(range(7))
    choose = DefaultPartitioner()
    assert partitions_of(history, 7).tolist() == [choose(c.encode(), numbers, numbers) for c in history.customer]


def test_columns_hold_every_event_in_merge_order_with_daily_ticks(tmp_path: Path) -> None:
    rows = (
        "cancellation,a,2020-01-01T10:00:00Z,,,,,gone for good,X\n"
        "login,a,2020-01-01T10:00:00Z,,,,,,L\ncomplaint,a,2020-01-01T10:00:00Z,,,,,,C\n"
        "purchase,a,2020-01-01T10:00:00Z,10,EUR,,,,P\npurchase,a,2020-01-03T00:00:00Z,-2,USD,,,,R\n"
    )
    columns = to_columns(history_of(tmp_path, rows), RULES, 1)[0]
    assert columns.kind.tolist() == [PURCHASE, COMPLAINT, LOGIN, CANCELLATION, TICK, REFUND, TICK]
    assert columns.event_id.tolist() == ["P", "C", "L", "X", "", "R", ""]
    assert columns.amount_minor.tolist() == [1500, 0, 0, 0, 0, 200, 0]
    assert columns.severity.tolist() == [0, 3, 0, 0, 0, 0, 0]
    assert columns.offset.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert (columns.time_ms[columns.kind == TICK] % DAY_MS == 0).all()


def test_events_that_the_system_would_not_accept_are_refused(tmp_path: Path) -> None:
    history = history_of(tmp_path, "purchase,a,2020-01-01T10:00:00Z,10,JPY,,,,L\n")
    with pytest.raises(HistoryError, match=r"purchases: the system does not accept 1 events; the first: .*JPY"):
        to_columns(history, RULES, 1)


def test_cdnow_is_read_whole() -> None:
    """Counts and sums against pandas' own reading of the file."""
    source = find_source("cdnow:")
    history = read_history(source.path, source.mapping)
    frame = pd.read_csv(source.path, sep=r"\s+", skiprows=1, names=["id", "date", "n", "usd"], dtype={"id": str, "date": str})
    assert (len(history), len(set(history.customer))) == (69_659, 23_570)
    assert history.amount.sum() == pytest.approx(frame.usd.sum())
    expected = Counter(
        zip(frame.id, pd.to_datetime(frame.date, utc=True).astype("datetime64[ms, UTC]").astype(np.int64), frame.usd, strict=True)
    )
    assert Counter(zip(history.customer, history.time_ms.tolist(), history.amount.tolist(), strict=True)) == expected
    assert set(history.currency) == {"USD"}


@pytest.mark.skipif(not INVOICES.exists(), reason="the invoices of Online Retail II are not beside this repository")
def test_online_retail_is_read_whole_with_returns_as_refunds() -> None:
    """Counts and sums against pandas' own reading of the file."""
    history = read_histories([find_source(str(INVOICES), "online-retail-ii")])
    frame = pd.read_csv(INVOICES, dtype={"customer_id": str})
    frame["ms"] = (
        pd.to_datetime(frame.occurred_at).dt.tz_localize("Europe/London").astype("datetime64[ms, Europe/London]").astype(np.int64)
    )
    refunds = frame.type == "cancellation"
    for kind, rows in ((REFUND, frame[refunds]), (PURCHASE, frame[~refunds])):
        chosen = history.kind == kind
        expected = Counter(zip(rows.customer_id, rows.ms, rows.amount_gbp.abs(), strict=True))
        found = zip(history.customer[chosen], history.time_ms[chosen].tolist(), history.amount[chosen].tolist(), strict=True)
        assert Counter(found) == expected
    assert len(history) == 44_876
    columns = to_columns(history, EventRules("GBP", {}, None), 4)
    assert sum(int((part.kind != TICK).sum()) for part in columns.values()) == 44_876
