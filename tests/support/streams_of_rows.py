"""Merged rows, drawn to be awkward: equal instants, edges of days and buckets, late events, repeats, habits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

from streams.columns import DAY_MS, KIND_NAMES, TICK, TOPIC_RANKS, Columns
from tests.oracle.rfm_twin import EventTwin

START_MS = 1_700_000_000_000
LAST_MS = 4_102_444_800_000 - 1  # the last instant of the contract
HOUR_MS = 3_600_000
KINDS = {name: kind for kind, name in KIND_NAMES.items()}
_RANK_OF_KIND = {"purchase": 0, "refund": 0, "complaint": 1, "login": 2, "cancellation": 3, "tick": 9}

# edges of the half day, the day, and of the buckets of the four windows
_GRIDS_MS = [DAY_MS // 2, DAY_MS, *(days * DAY_MS // 8 for days in (7, 30, 90, 365))]
_FORWARD_MS = [0, 0, 1, 999, 1_000, HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS, 30 * DAY_MS, 91 * DAY_MS, 366 * DAY_MS]
_BACK_MS = [
    1,
    1_000,
    HOUR_MS,
    DAY_MS - 1,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    8 * DAY_MS,
    40 * DAY_MS,
    191 * DAY_MS,
    193 * DAY_MS,
    800 * DAY_MS,
]
_FAR_MS = [800 * DAY_MS, 3_000 * DAY_MS, 4_096 * DAY_MS]

Move = tuple[str, int, int]
"""(how, by ms, edge): how the time of a row is found from the newest so far."""


def _moves() -> st.SearchStrategy[Move]:
    edge = st.sampled_from([-1, 0, 0, 1])
    on = st.tuples(st.just("on"), st.sampled_from(_FORWARD_MS), edge)
    any_time = st.tuples(st.just("on"), st.integers(0, 40 * DAY_MS), st.just(0))
    grid = st.tuples(st.just("grid"), st.sampled_from(_GRIDS_MS), edge)
    back = st.tuples(st.just("back"), st.one_of(st.sampled_from(_BACK_MS), st.integers(0, 60 * DAY_MS)), edge)
    again = st.tuples(st.just("again"), st.one_of(st.integers(1, 6), st.just(0)), edge)
    far = st.tuples(st.just("on"), st.sampled_from(_FAR_MS), edge)
    return st.one_of(on, on, any_time, grid, grid, back, back, again, far)


def _time_ms(move: Move, times: Sequence[int]) -> int:
    how, by, edge = move
    newest = max(times, default=START_MS)
    match how:
        case "on":
            time_ms = newest + by
        case "grid":  # the next edge of the grid
            time_ms = (newest // by + 1) * by
        case "back":
            time_ms = newest - by
        case _:  # the instant of an earlier row; 0 is the first of all
            time_ms = times[-by] if 0 < len(times) >= by else newest
    return min(max(time_ms + edge, START_MS - 2_000 * DAY_MS), LAST_MS)


_AMOUNTS = st.one_of(st.sampled_from([0, 1, 99, 2**31, 2**32 - 1, 10**12]), st.integers(0, 200_000))
_OTHER_KINDS = ["login", "complaint", "refund", "login", "cancellation", "tick", "repeat", "habit"]
_KINDS = st.sampled_from(["purchase"] * 6 + _OTHER_KINDS)
_CONTRACT_KINDS = ("purchase", "login", "complaint", "refund", "cancellation")


@st.composite
def rows(draw: st.DrawFn, max_rows: int = 60, customers: int = 5, ticks: bool = True) -> list[EventTwin]:
    """About `max_rows` rows at most; the first customer has about half of them.

    A "repeat" sends an earlier row again; a "habit" is a dozen purchases some days apart, after which risk is low.
    """
    who = st.one_of(st.just(0), st.integers(0, customers - 1))
    step = st.tuples(_KINDS, who, _moves(), _AMOUNTS, st.integers(1, 5))
    least = draw(st.sampled_from([1, max_rows // 3, max_rows // 2]))
    out: list[EventTwin] = []
    for kind, customer, move, amount, severity in draw(st.lists(step, min_size=least, max_size=max_rows)):
        time_ms = _time_ms(move, [event.time_ms for event in out])
        earlier = [event for event in out if event.kind != "tick"]
        if kind == "repeat" and earlier:
            out.append(_repeat(earlier[-1 - (amount + severity) % min(len(earlier), 12)], time_ms, severity))
        elif kind == "tick" and ticks:
            out.append(EventTwin("tick", time_ms))
        elif kind == "habit" and len(out) + 12 < max_rows:
            times = [min(time_ms + k * severity * DAY_MS, LAST_MS) for k in range(12)]
            out += [_event("purchase", at, f"c{customer}", amount, severity, len(out) + k) for k, at in enumerate(times)]
        elif len(out) < max_rows:
            out.append(
                _event(kind if kind in _CONTRACT_KINDS else "purchase", time_ms, f"c{customer}", amount, severity, len(out))
            )
    return out


def _repeat(event: EventTwin, time_ms: int, severity: int) -> EventTwin:
    """The same event; every fifth time under another date, and every fifth time 48 bits alike but the others not."""
    if severity == 1:
        return replace(event, time_ms=time_ms)
    return replace(event, id_hash=event.id_hash ^ 1 << 60) if severity == 2 else event


def _event(kind: str, time_ms: int, customer: str, amount: int, severity: int, n: int) -> EventTwin:
    # every seventh hash has low bits of 0 and every other seventh of 1, which are the same place in the record
    low = n // 7 % 2 if n % 7 == 0 else n * 2_654_435_761 % 2**32
    return EventTwin(
        kind,
        time_ms,
        customer,
        amount if kind in ("purchase", "refund") else 0,
        severity if kind == "complaint" else 0,
        (n // 14 * 7_919) % 2**16 << 32 | low,
        amount % 16 << 3 | amount // 16 % 7 + 1 if kind == "complaint" and amount % 5 else 0,
    )


def as_columns(events: Sequence[EventTwin]) -> Columns:
    """The same rows for the engine; the event id is the hash in hex."""
    text = {"customer": [e.customer for e in events], "event_id": [f"{e.id_hash:x}" if e.kind != "tick" else "" for e in events]}
    numbers: dict[str, Any] = {
        "kind": np.array([KINDS[e.kind] for e in events], np.uint8),
        "time_ms": np.array([e.time_ms for e in events], np.int64),
        "amount_minor": np.array([e.amount_minor for e in events], np.int64),
        "severity": np.array([e.severity for e in events], np.uint8),
        "cause": np.array([e.cause for e in events], np.uint8),
        "id_hash": np.array([e.id_hash for e in events], np.uint64),
        "rank": np.array([_RANK_OF_KIND[e.kind] for e in events], np.uint8),
        "offset": np.arange(len(events), dtype=np.int64),
    }
    objects = {name: np.array([*values, None], dtype=object)[:-1] for name, values in text.items()}
    return Columns(**objects, **numbers)


def cuts(n: int) -> st.SearchStrategy[list[slice]]:
    """Ways to cut n rows into batches, one row each among them; a batch may be empty."""
    sizes = st.one_of(st.just([1] * n), st.lists(st.integers(0, max(n, 1)), max_size=8))
    return sizes.map(lambda wanted: _slices([0, *accumulate(wanted), n], n))


def _slices(edges: list[int], n: int) -> list[slice]:
    edges = sorted(min(edge, n) for edge in edges)
    return [slice(a, b) for a, b in pairwise(edges)]


assert {*_RANK_OF_KIND.values(), TOPIC_RANKS["commands"]} == set(TOPIC_RANKS.values())
assert KINDS["tick"] == TICK
