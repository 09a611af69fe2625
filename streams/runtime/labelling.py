"""From a step's snapshots and outcomes to what its commit keeps, settles and tells the learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectors.labels import Labels
from detectors.learner_rules import as_told
from streams.columns import DAY_MS, TICK, Columns
from streams.labels import LabelMessage, ScoredRows, entries
from streams.outcomes import OutcomeRules, Outcomes, label_ids
from streams.pending import pack_pending, pending_name, unpack_pending
from streams.runtime.shop import Shop
from streams.scores import scores
from streams.step import Step

LABELS_A_MESSAGE = 1_000
SCORES_A_MESSAGE = 10_000
"""With these a message has about half a megabyte; brokers take one."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What one commit does about outcomes.

    pending    (name, bytes) of who was taken down and waits
    settled    names of what waits no more
    messages   for the learner, not yet numbered
    """

    pending: Sequence[tuple[str, bytes]] = ()
    settled: Sequence[str] = ()
    messages: Sequence[LabelMessage] = ()


NOTHING_LABELLED = Labelled()


class Labelling:
    """The outcomes of one partition. What waits is in the store.

    tick_ms   the last tick of history that the partition has passed, as its last commit told; 0 = none, or it was told since that
              history has ended
    """

    def __init__(self, partition: int, shop: Shop, tick_ms: int) -> None:
        self._partition, self._shop = partition, shop
        self.tick_ms = tick_ms

    async def settle(
        self,
        step: Step,
        batch: Columns,
        rules: OutcomeRules | None,
        *,
        history: bool,
        before_ms: int,
        erased: Sequence[str] = (),
    ) -> Labelled:
        """What the step's commit does about outcomes.

        before_ms   the watermark before the step
        erased      names of what shall wait no more, since its customers are erased
        Raises what the store raises; nothing is written.
        """
        if rules is None:
            return Labelled(settled=erased) if erased else NOTHING_LABELLED
        taken = {
            pending_name(customer, day): inputs
            for customer, day, inputs in zip(
                step.snapshots.customers,
                step.snapshots.day.tolist(),
                pack_pending(step.snapshots.inputs, rules.staying),
                strict=True,
            )
        }
        labels, known = await self._labels(step.outcomes, taken, rules)
        if not history:
            # what was held back is known now and not before; the learner takes what was known long ago for counted
            labels = replace(labels, known_ms=np.maximum(labels.known_ms, before_ms)).in_order()
        forgotten = [pending_name(customer, day) for customer, day in step.void]
        settled = list(dict.fromkeys([*known, *forgotten, *erased]))
        over = set(settled)
        pending = [(name, inputs) for name, inputs in taken.items() if name not in over]
        messages = self._messages(step, batch, labels, rules, history=history)
        return Labelled(pending, settled, messages)

    def tick_after(self, batch: Columns, rules: OutcomeRules | None, *, history: bool) -> int:
        """`tick_ms` once the batch is committed."""
        if rules is not None and not history:
            return 0
        ticks = batch.time_ms[batch.kind == TICK]
        return max(int(ticks.max()), self.tick_ms) if len(ticks) else self.tick_ms

    def committed(self, batch: Columns, rules: OutcomeRules | None, *, history: bool) -> None:
        """A commit with this batch is in the store."""
        self.tick_ms = self.tick_after(batch, rules, history=history)

    async def _labels(self, outcomes: Outcomes, taken: dict[str, bytes], rules: OutcomeRules) -> tuple[Labels, list[str]]:
        """The labels, ordered by time and id, and the names of the snapshots that are settled."""
        if not len(outcomes):
            return Labels.none(), []
        outcomes = outcomes.firsts()
        names = [pending_name(customer, day) for customer, day in zip(outcomes.customers, outcomes.day.tolist(), strict=True)]
        missing = [name for name in names if name not in taken]
        stored = await self._shop.store.pending(self._partition, missing) if missing else []
        kept = taken | dict(zip(missing, stored, strict=True))
        places, inputs, staying = unpack_pending([kept[name] for name in names])
        at = np.array(places, np.intp)
        if outcomes.unknown is not None:
            told = ~outcomes.unknown[at] | np.array([one == rules.staying for one in staying], np.bool_)
            at, inputs = at[told], inputs[told]
        ids = label_ids(outcomes.hashes[at], outcomes.day[at])
        labels = Labels(ids, outcomes.day[at] * DAY_MS, outcomes.known_ms[at], outcomes.left[at], inputs)
        there = [name for name in names if kept[name] is not None]
        return labels.in_order(), there

    def _messages(self, step: Step, batch: Columns, labels: Labels, rules: OutcomeRules, *, history: bool) -> list[LabelMessage]:
        """In the order to send; that a tick was passed is told by the last, with which all is told that was known by then.

        That history has ended is told once, also by who has nothing else to tell: the learner waits for each partition.
        """
        tick_ms, rows = self.tick_after(batch, rules, history=history), scores(step.snapshots, rules.horizon_days)
        passed = tick_ms != self.tick_ms
        count = max(-(-len(labels) // LABELS_A_MESSAGE), -(-len(rows) // SCORES_A_MESSAGE), int(passed))
        return [
            self._message(
                (self.tick_ms if k < count - 1 else tick_ms) if history else step.state.watermark_ms,
                labels.take(slice(k * LABELS_A_MESSAGE, (k + 1) * LABELS_A_MESSAGE)),
                rows[k * SCORES_A_MESSAGE : (k + 1) * SCORES_A_MESSAGE].tobytes(),
                step.snapshots.model,
                rules,
                history=history,
            )
            for k in range(count)
        ]

    def _message(
        self, reached_ms: int, labels: Labels, rows: bytes, model: str, rules: OutcomeRules, *, history: bool
    ) -> LabelMessage:
        scored = ScoredRows(model=model, rows=rows) if rows else None
        told = entries(labels) if len(labels) else []
        return LabelMessage(
            partition=self._partition, number=0, history=history, reached_ms=reached_ms, horizon_days=rules.horizon_days,
            staying=as_told(rules.staying), labels=told, scored=scored,
        )  # fmt: skip
