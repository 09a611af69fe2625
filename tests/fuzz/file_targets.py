"""Readers of files and of Redis: settings, playbooks, mappings, histories, and what is stored."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from streams import customer
from streams.backtest.history import HistoryError, read_history
from streams.backtest.mapping import parse_mapping
from streams.contract import END_TIME_MS, MAX_ID_CHARS, MIN_TIME_MS
from streams.inflow import InflowProfile
from streams.runtime.commits import pack_state, unpack_state
from streams.runtime.playbook_file import read_playbook
from streams.runtime.settings import load_settings_file
from streams.runtime.settings_problems import SettingsError
from streams.state import PartitionState
from tests.fuzz.mutations import mangled_bytes, mangled_csv, mangled_json, mangled_yaml
from tests.fuzz.target import Target, only_raises
from tests.support.golden import example_bytes, of_kind

REPO = Path(__file__).resolve().parents[2]
SETTINGS = """kafka:
  bootstrap: localhost:9092
  partitions: 8
time:
  clock: wall
  lateness_s: 86400
money:
  base_currency: USD
  rates: {USD: 1, EUR: 1.25}
policy:
  watch: 0.5
  high: 0.7
channels:
  apprise:
    sales: json://localhost
log:
  format: json
"""
MAPPING = """format: csv
columns: {amount: total}
types: {sale: purchase}
time_zone: Europe/London
time_format: "%Y-%m-%d"
currency: GBP
id_prefix: x
"""
ROWS = (
    ("type", "customer_id", "occurred_at", "amount", "currency", "severity", "text", "event_id"),
    ("purchase", "anna", "2023-01-01T00:00:00Z", "19.99", "EUR", "", "", "e1"),
    ("refund", "bert", "1700000000000", "-5", "USD", "", "", ""),
    ("complaint", "anna", "2023-01-02T00:00:00+01:00", "", "", "4", "too late, \u4e0d\u597d", ""),
    ("login", "carl", "2023-01-03T00:00:00Z", "", "", "", "", "e4"),
)


def _in_file(data: bytes, suffix: str, use: Callable[[Path], Any]) -> Any:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / f"input{suffix}"
        path.write_bytes(data)
        return use(path)


def _check_settings(data: bytes) -> None:
    settings = _in_file(data, ".yaml", lambda path: only_raises(lambda: load_settings_file(path, {}), SettingsError))
    assert settings is None or settings.kafka.partitions >= 1


def _check_playbook(data: bytes) -> None:
    playbook = _in_file(data, ".yaml", lambda path: only_raises(lambda: read_playbook(str(path)), SettingsError))
    assert playbook is None or playbook.plays


def _check_mapping(data: bytes) -> None:
    only_raises(lambda: parse_mapping(data, "mine"), HistoryError)


def _check_history(suffix: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        """Whole or not at all; where bad rows are left out, good and bad ones are all there are."""
        strict = _in_file(data, suffix, lambda path: only_raises(lambda: read_history(path), HistoryError))
        lenient = _in_file(data, suffix, lambda path: only_raises(lambda: read_history(path, skip_bad=True), HistoryError))
        if strict is not None:
            assert lenient is not None
            assert (strict.fingerprint(), len(lenient.skipped)) == (lenient.fingerprint(), 0)
        if lenient is not None:
            rows = [*lenient.row.tolist(), *(bad.row for bad in lenient.skipped)]
            assert sorted(rows) == list(range(1, len(rows) + 1))
            assert (strict is None) == bool(lenient.skipped)
            assert ((lenient.time_ms >= MIN_TIME_MS) & (lenient.time_ms < END_TIME_MS)).all()
            assert (lenient.amount >= 0).all()
            assert all(1 <= len(name) <= MAX_ID_CHARS for name in (*lenient.customer, *lenient.event_id))
            json.dumps([str(bad) for bad in lenient.skipped]).encode()
            "".join((*lenient.customer, *lenient.event_id, *lenient.text)).encode()

    return check


def _csv(random: Random) -> bytes:
    data = mangled_csv([ROWS[0], *random.choices(ROWS[1:], k=random.randrange(6))], random)
    return mangled_bytes(gzip.compress(data), random) if random.random() < 0.1 else data


def _json_lines(random: Random) -> bytes:
    chosen = random.choices(ROWS[1:], k=random.randrange(1, 6))
    good: list[dict[str, Any]] = [dict(zip(ROWS[0], row, strict=True)) for row in chosen]
    for row in good:
        at = random.choice((1_700_000_000_000, row["occurred_at"]))
        row |= {"amount": float(row["amount"] or 0), "severity": 3, "occurred_at": at}
    text = "\n".join(mangled_json(row, random, random.choice((0.0, 0.1))) for row in good)
    data = text.encode(errors="surrogatepass")
    return mangled_bytes(data, random) if random.random() < 0.5 else data


def _check_stored(read: Callable[[bytes], Any], write: Callable[[Any], bytes] | None) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        found = only_raises(lambda: read(data), ValueError)
        if found is not None and write is not None:
            again = write(found)
            assert write(read(again)) == again

    return check


def _stored(kind: str) -> Callable[[Random], bytes]:
    blobs = [example_bytes(example) for golden in of_kind(kind) for example in golden.examples]
    return lambda random: mangled_bytes(random.choice(blobs), random)


TARGETS: Mapping[str, Target] = {
    "settings": Target(lambda random: mangled_yaml(SETTINGS, random), _check_settings),
    "playbook": Target(
        lambda random: mangled_yaml((REPO / "deploy" / "playbook.example.yaml").read_text("utf-8"), random), _check_playbook
    ),
    "mapping": Target(lambda random: mangled_yaml(MAPPING, random), _check_mapping),
    "csv": Target(_csv, _check_history(".csv")),
    "json-lines": Target(_json_lines, _check_history(".jsonl")),
    "record": Target(
        _stored("record"), _check_stored(lambda data: customer.read_records([data]), lambda rows: customer.row_bytes(rows)[0])
    ),
    "state": Target(_stored("state"), _check_stored(PartitionState.from_bytes, PartitionState.to_bytes)),
    "live-state": Target(_stored("live-state"), _check_stored(unpack_state, pack_state)),
    "inflow": Target(_stored("inflow"), _check_stored(InflowProfile.from_bytes, InflowProfile.to_bytes)),
}
