"""Simulated customers as files: a history file, and the truth behind it. The same events give the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from streams.backtest.files import file_format
from streams.backtest.mapping import COLUMNS, HistoryError
from streams.backtest.rows import KINDS
from streams.backtest.simulation import SimulatedEvent, Truth
from streams.columns import COMPLAINT, PURCHASE, REFUND

_TYPES = {kind: name for name, kind in KINDS.items()}


def write_history(path: Path, events: Sequence[SimulatedEvent], currency: str, id_prefix: str) -> None:
    """Write `events` as a history file: CSV or JSON lines by its name, gzipped when that ends in .gz.

    currency    ISO 4217 code of every amount
    id_prefix   put before the event's number to make its id
    Raises HistoryError for another format and where the file cannot be written.
    """
    kind = file_format(path)
    if kind == "parquet":
        raise HistoryError(f"file {path.name}: only .csv and .jsonl (also .gz) are written; convert it afterwards")
    rows = (_row(event, currency, f"{id_prefix}{number}") for number, event in enumerate(events, start=1))
    if kind == "csv":
        content = _csv(COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    else:
        encode = msgspec.json.Encoder().encode
        content = b"".join(encode({name: value for name, value in row.items() if value != ""}) + b"\n" for row in rows)
    _write(path, content)


def write_truth(path: Path, truths: Sequence[Truth]) -> None:
    """Write one CSV line a customer; columns as in `Truth`, times in RFC 3339. Raises HistoryError."""
    columns = [name.removesuffix("_ms") + ("_at" if name.endswith("_ms") else "") for name in Truth._fields]
    rows = (_truth_row(truth) for truth in truths)
    _write(path, _csv(columns, rows))


def _truth_row(truth: Truth) -> list[object]:
    shown: dict[str, object] = truth._asdict()
    shown |= {"joined_ms": rfc3339(truth.joined_ms), "end_ms": rfc3339(truth.end_ms), "left": int(truth.left)}
    return list(shown.values())


def rfc3339(time_ms: int) -> str:
    """A time of an event as history files write it.

    >>> rfc3339(867715200123)
    '1997-07-01T00:00:00.123Z'
    """
    return str(np.datetime64(time_ms, "ms")) + "Z"


def _row(event: SimulatedEvent, currency: str, event_id: str) -> dict[str, str | float]:
    money = event.kind in (PURCHASE, REFUND)
    return {
        "type": _TYPES[event.kind],
        "customer_id": event.customer,
        "occurred_at": rfc3339(event.time_ms),
        "amount": event.amount if money else "",
        "currency": currency if money else "",
        "severity": event.severity if event.kind == COMPLAINT else "",
        "category": event.category,
        "text": event.text,
        "event_id": event_id,
    }


def _csv(columns: Iterable[str], rows: Iterator[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)  # no time of writing inside: the same events, the same bytes
    try:
        path.write_bytes(content)
    except OSError as problem:
        raise HistoryError(f"file {path}: {problem.strerror or problem}") from None
