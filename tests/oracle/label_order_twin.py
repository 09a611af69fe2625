"""What is learnt of a history and when, by the definition: each partition's own order, nothing forgotten, label by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DAY_MS = 86_400_000
WINDOW_MS = 8 * DAY_MS


@dataclass(frozen=True)
class Told:
    """One thing that a partition tells.

    kind    "label", "score", or "tick": it has passed it
    at_ms   when a label was known, or a score's snapshot taken; the tick
    id      of label or snapshot
    """

    kind: str
    at_ms: int
    id: int = 0


@dataclass(frozen=True)
class Learnt:
    """With a tick: (known_ms, id) of labels in order; ids of the snapshots scored."""

    tick_ms: int
    labels: tuple[tuple[int, int], ...]
    scored: frozenset[int]


def learnt(partitions: Sequence[Sequence[Told]]) -> list[Learnt]:
    """Tick by tick."""
    passed_by_all = min(max((told.at_ms for told in tellings if told.kind == "tick"), default=0) for tellings in partitions)
    ticks = sorted({told.at_ms for tellings in partitions for told in tellings if told.kind == "tick"})
    by_tick: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for tellings in partitions:
        for kind in ("label", "score"):
            for tick_ms, found in _of(tellings, kind, ticks).items():
                by_tick.setdefault((tick_ms, kind), []).extend(found)
    return [
        Learnt(
            tick_ms,
            tuple(sorted(by_tick.get((tick_ms, "label"), []))),
            frozenset(one for _, one in by_tick.get((tick_ms, "score"), [])),
        )
        for tick_ms in ticks
        if tick_ms <= passed_by_all
    ]


def _of(tellings: Sequence[Told], kind: str, ticks: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """tick -> (time, id) of one partition's labels, or scores."""
    goes: list[tuple[int, Told]] = []
    passed_ms = 0
    for told in tellings:
        if told.kind == "tick":
            passed_ms = max(passed_ms, told.at_ms)
        elif told.kind == kind:
            after = [tick_ms for tick_ms in ticks if tick_ms >= told.at_ms and tick_ms > passed_ms]
            if after:
                goes.append((after[0], told))
    found: dict[int, list[tuple[int, int]]] = {}
    counted: set[int] = set()
    newest_ms: int | None = None
    for tick_ms in ticks:
        fresh = []
        for told in (one for at_tick, one in goes if at_tick == tick_ms):
            if told.id not in counted and (newest_ms is None or told.at_ms >= newest_ms - WINDOW_MS):
                counted.add(told.id)
                fresh.append((told.at_ms, told.id))
        found[tick_ms] = fresh
        newest_ms = max([at_ms for at_ms, _ in fresh] + ([] if newest_ms is None else [newest_ms]), default=None)
    return found
