"""What a run of the engine stores and sends, so that two runs can be compared byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from alerts.alert import encode
from streams.columns import Columns
from streams.customer import row_bytes
from streams.engine import EngineRules, advance
from streams.step import Step
from streams.table import CustomerTable
from tests.oracle.rfm_twin import EventTwin
from tests.support.engine_rules import served
from tests.support.streams_of_rows import as_columns


@dataclass
class Outcome:
    """What is stored and sent: rows by customer, the partition's state, messages in the order in which they left; who was taken
    down for learning, and what was found out.
    """

    records: dict[str, bytes] = field(default_factory=dict)
    state: bytes = b""
    alerts: list[bytes] = field(default_factory=list)
    evaluations: int = 0
    gone: set[str] = field(default_factory=set)
    taken: list[tuple[int, str, bytes, float]] = field(default_factory=list)
    found: list[tuple[int, str, int, int]] = field(default_factory=list)

    def add(self, step: Step) -> None:
        self.records |= dict(zip(step.ids, row_bytes(step.records), strict=True))
        self.gone = self.gone.difference(step.ids).union(step.gone)
        for customer in step.gone:
            self.records.pop(customer, None)
        self.state = step.state.to_bytes()
        self.alerts += [encode(alert) for alert in step.alerts]
        self.evaluations += int(step.stats.decisions.sum())
        taken, found = step.snapshots, step.outcomes
        inputs = [row.tobytes() for row in taken.inputs]
        self.taken += zip(taken.day.tolist(), taken.customers, inputs, taken.closed_form.tolist(), strict=True)
        self.found += zip(found.known_ms.tolist(), found.customers, found.day.tolist(), found.left.tolist(), strict=True)

    def take_over(self, table: CustomerTable, step: Step) -> None:
        table.apply(step)
        self.add(step)

    def __eq__(self, other: object) -> bool:
        """Messages are a multiset: their order within a partition is by commit."""
        return isinstance(other, Outcome) and self.told() == other.told()

    def told(self) -> tuple[object, ...]:
        return self.records, self.state, sorted(self.alerts), self.evaluations, sorted(self.taken), sorted(self.found)


def run(
    batches: Iterable[Columns],
    rules: EngineRules,
    last_now_ms: int = 0,
    table: CustomerTable | None = None,
    held: Iterable[Columns] = (),
) -> Outcome:
    """Every batch advanced and taken over, the last one with the clock at `last_now_ms`; before them `held`, without a sweep."""
    table, outcome, parts = table or CustomerTable(), Outcome(), list(batches)
    for batch in held:
        outcome.take_over(table, advance(table, batch, 0, rules, served(rules), sweep=False))
    for k, batch in enumerate(parts):
        outcome.take_over(table, advance(table, batch, last_now_ms if k == len(parts) - 1 else 0, rules, served(rules)))
    return outcome


def sliced(events: Sequence[EventTwin], batches: Sequence[slice]) -> list[Columns]:
    whole = as_columns(events)
    return [whole.take(batch) for batch in batches]
