"""Bytes that churnwatch has written, kept for ever: `tests/golden/bytes/<kind>-<number>.json`, one file each time a kind changed.

    written_by   the commit whose code wrote them, run as it was then
    examples     bytes, and what they mean, chosen before they were written; a message's own JSON says what it means
    refused      why today's code need not read them, where it does not

Whoever changes what is written adds a file with the next number, written by the changed code from values of his choice, and
leaves those that are there as they are. `KINDS` says how each kind is read and written today.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from alerts import alert
from alerts.trigger_event import decode_trigger, encode_trigger
from detectors import parameters
from streams import customer, dead_letters, quintiles
from streams.inflow import TOPICS, InflowProfile, TopicInflow
from streams.runtime.commits import JournalEntry, LiveState, pack_state, unpack_state
from streams.state import STATE_VERSION, PartitionState
from streams.ticks import GoLiveMessage, HeartbeatMessage, TickMessage

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "bytes"


@dataclass(frozen=True)
class Kind:
    """read, write   today's code: bytes -> meaning, and back
    version          the number that this kind's bytes carry today; None: they carry none
    """

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    version: int | None = None


def _of(read: Callable[[bytes], Any], write: Callable[[Any], bytes] = msgspec.json.encode) -> Kind:
    return Kind(read, write)


def _as(type_: Any) -> Callable[[bytes], Any]:
    return lambda data: msgspec.json.decode(data, type=type_)


MESSAGES = {
    "alert": _of(alert.decode, alert.encode),
    "ingestion-alert": _of(alert.decode_any, alert.encode),
    "digest": _of(alert.decode_any, alert.encode),
    "trigger": _of(decode_trigger, encode_trigger),
    "journal-entry": _of(_as(JournalEntry)),
    "dead-letter": _of(_as(dead_letters.DeadLetter), dead_letters.encode),
    "clock-message": _of(_as(TickMessage | GoLiveMessage | HeartbeatMessage)),
    "parameters": _of(parameters.loads, parameters.dumps),
}


def _read_record(data: bytes) -> dict[str, Any]:
    row = customer.read_records([data])[0]
    assert row["version"] == customer.VERSION
    means = {name: row[name].tolist() for name in customer.CUSTOMER.names or () if name not in ("version", "policy")}
    return means | {"policy": {name: row["policy"][name].tolist() for name in row["policy"].dtype.names}}


def record_rows(means: dict[str, Any]) -> customer.Records:
    """One row that holds this."""
    rows = customer.new_records(1)
    for name, value in means.items():
        for field, part in value.items() if name == "policy" else ():
            rows["policy"][field] = part
        if name != "policy":
            rows[name] = value
    return rows


COUNTS = ("recency", "frequency", "monetary")


def _read_state(data: bytes) -> dict[str, Any]:
    state = PartitionState.from_bytes(data)
    sketch = state.quintiles
    customers = [[*map(int, at), int(state.customers[tuple(at)])] for at in np.argwhere(state.customers)]
    means = {"watermark_ms": state.watermark_ms, "customers": customers, "day": sketch.day}
    for name in COUNTS:
        counts, scores = getattr(sketch, name), getattr(sketch, f"{name}_scores")
        edges = [0, *(np.flatnonzero(np.diff(scores)) + 1).tolist(), len(scores)]
        means[name] = [[at, int(counts[at])] for at in np.flatnonzero(counts).tolist()]
        means[f"{name}_scores"] = [[int(scores[a]), b - a] for a, b in pairwise(edges)]
    return means


def _write_state(means: dict[str, Any]) -> bytes:
    state = PartitionState(means["watermark_ms"], quintiles.Quintiles(means["day"]))
    for tier, segment, count in means["customers"]:
        state.customers[tier, segment] = count
    for name in COUNTS:
        for at, count in means[name]:
            getattr(state.quintiles, name)[at] = count
        scores = [score for score, times in means[f"{name}_scores"] for _ in range(times)]
        setattr(state.quintiles, f"{name}_scores", np.array(scores, np.uint8))
    return state.to_bytes()


def _read_inflow(data: bytes) -> dict[str, Any]:
    weeks = {topic: week.table for topic, week in InflowProfile.from_bytes(data).weeks.items()}
    fed = {topic: [[at, *table[:, at].tolist()] for at in np.flatnonzero(table[1]).tolist()] for topic, table in weeks.items()}
    return {topic: slots for topic, slots in fed.items() if slots}


def _write_inflow(means: dict[str, Any]) -> bytes:
    weeks = {topic: TopicInflow.empty() for topic in TOPICS}
    for topic, slots in means.items():
        for at, *column in slots:
            weeks[topic].table[:, at] = column
    return InflowProfile(weeks).to_bytes()


def _read_live(data: bytes) -> Any:
    means = msgspec.to_builtins(unpack_state(data), builtin_types=(bytes,))
    return means | {name: means[name].hex() for name in ("engine", "inflow")}


def _write_live(means: dict[str, Any]) -> bytes:
    blobs = {name: bytes.fromhex(means[name]) for name in ("engine", "inflow")}
    return pack_state(msgspec.convert(means | blobs, LiveState, builtin_types=(bytes,)))


STORED = {
    "record": Kind(_read_record, lambda means: customer.row_bytes(record_rows(means))[0], customer.VERSION),
    "state": Kind(_read_state, _write_state, STATE_VERSION),
    "inflow": Kind(_read_inflow, _write_inflow),
    "live-state": Kind(_read_live, _write_live),
}
KINDS = MESSAGES | STORED


@dataclass(frozen=True)
class Golden:
    """One file."""

    kind: str
    number: int
    written_by: str
    examples: list[dict[str, Any]]
    refused: str = ""

    def __str__(self) -> str:
        return f"{self.kind}-{self.number}"


def golden_files() -> list[Golden]:
    """All of them, each kind's in their order."""
    named = [(path, *path.stem.rsplit("-", 1)) for path in FOLDER.iterdir()]
    found = [Golden(kind, int(number), **json.loads(path.read_text())) for path, kind, number in named]
    return sorted(found, key=lambda golden: (golden.kind, golden.number))


def of_kind(kind: str) -> list[Golden]:
    """The files of one kind, oldest first."""
    return [golden for golden in golden_files() if golden.kind == kind]


def example_bytes(example: dict[str, Any]) -> bytes:
    """An example's bytes: `text`, or `bytes` as hexadecimal digits of which [digits, n] stand n times."""
    if "text" in example:
        return str(example["text"]).encode()
    parts = (part if isinstance(part, list) else [part, 1] for part in example["bytes"])
    return b"".join(bytes.fromhex(digits) * times for digits, times in parts)
