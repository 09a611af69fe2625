"""Everything between intake and commit, as one pure function: `advance(table, batch, now) -> Step`.

No clock, no I/O, no chance, no logging; the table is read and not changed (`table.apply(step)` takes the step over once it is
committed). The result does not depend on where batches are cut:

- a batch is folded in rounds: round k holds every customer's k-th event, so no row is met twice by one column operation;
- before an event is folded, that customer's looks fire that are due by the later of the event's time and the watermark
  just before it; after the last event, those of every customer that are due by the watermark;
- an event is evaluated at the latest of its own time, that watermark and the customer's previous evaluation; a look at
  the time it was due;
- what depends on other customers (the quintiles) is settled after the rounds, ordered by the watermark at which each
  evaluation belongs, a UTC day at a time (see `evaluations.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.policy import SENDS, ReasonCode, copied, decide
from alerts.rules import PolicyRules
from detectors.served import ServedModel
from streams.board import cells, recount
from streams.columns import EVENT_KINDS, LOGIN, PURCHASE, TICK, Columns
from streams.customer import Records, gather, last_purchase_day, new_records, scatter
from streams.evaluations import FORGOTTEN, Evaluations, settle
from streams.explain import Context, Moved, explain, together
from streams.folded_ahead import Folded, FoldedAhead
from streams.outcome_looks import OutcomeLooks
from streams.outcomes import OutcomeRules
from streams.record_marks import ended
from streams.scoring import assess
from streams.step import Step, StepStats
from streams.table import CustomerTable
from streams.timers import LookRules, is_last_look, next_look_s
from streams.transitions import in_columns
from streams.watermark import running
from streams.working_rows import NO_EVENT, customers, hashes, loaded, rounds

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EngineRules:
    """What decides, apart from the data and the model.

    lateness_ms    how far the watermark stays behind the newest event, ms
    horizon_days   H of the risk, days
    looks, policy, context   rules of the timers, of the alerts, and of what an alert says
    outcomes       when customers are taken down and what became of them is found out; None: they are not
    """

    lateness_ms: int
    horizon_days: float
    looks: LookRules
    policy: PolicyRules
    context: Context
    outcomes: OutcomeRules | None = None

    def live_after(self, time_ms: int | None) -> EngineRules:
        """The same, saying of decisions up to this event time that they are about the past; None: of all."""
        alert = msgspec.structs.replace(self.context.alert, live_after_ms=time_ms)
        return replace(self, context=replace(self.context, alert=alert))


def advance(
    table: CustomerTable,
    batch: Columns,
    now_ms: int,
    rules: EngineRules,
    model: ServedModel,
    *,
    sweep: bool = True,
    only: Sequence[str] | None = None,
    told: bool = True,
) -> Step:
    """Fold a batch and fire what has come due.

    table    the partition's customers; must hold every row of the batch's customers that was ever stored, and of every
             customer due by the watermark this batch ends at (or of `only`)
    batch    events in merge order, ticks among them
    now_ms   the watermark the clock allows, ms; 0 = only events and ticks move it
    sweep    False holds the looks of customers who send nothing (a stalled stream proves no silence)
    only     of the customers who send nothing, look at these alone; the rest stay due. None = at all who are due.
             The result is that of one sweep as long as the slices come in the order of the due times
    told     False leaves `alerts` empty: words cost more than everything else, and `transitions` has the rest
    """
    return _Advance(table, batch, rules, model, told).run(now_ms, sweep=sweep, only=only)


class _Advance:
    """One step's working rows: every customer of the batch once, and those who come due."""

    ahead: FoldedAhead

    def __init__(self, table: CustomerTable, batch: Columns, rules: EngineRules, model: ServedModel, told: bool) -> None:
        self.table, self.rules, self.model, self.batch, self.told = table, rules, model, batch, told
        self.ids, self.rows, self.slots = customers(table, batch)
        self.before, self.after = running(table.state.watermark_ms, batch.kind, batch.time_ms, rules.lateness_ms)
        self.work = new_records(0)
        self.evaluations = Evaluations()
        self.moved: list[Moved] = []
        self.repeats: list[NDArray[np.intp]] = []
        self.late = self.looks = self.forgotten = 0
        self.held = False
        self.outcomes = OutcomeLooks(None, np.empty(0, np.uint64), model)

    def run(self, now_ms: int, *, sweep: bool, only: Sequence[str] | None) -> Step:
        self.held = not sweep
        watermark_ms = max(int(self.after[-1]) if len(self.after) else self.table.state.watermark_ms, now_ms)
        if sweep:
            self._add_due(self.table.due.due(watermark_ms // 1000) if only is None else self.table.rows(only))
        self.work = loaded(self.table, self.rows)
        if self.rules.outcomes is not None:
            self.outcomes = OutcomeLooks(self.rules.outcomes, hashes(self.table, self.ids, self.rows), self.model)
        old_cell = cells(self.work)
        in_rounds = rounds(self.slots, self.batch.kind)
        floor_ms = np.maximum(self.batch.time_ms, self.before)
        self.ahead = FoldedAhead(self.batch, self.slots, in_rounds, floor_ms, self.work, self.model)
        for events in in_rounds:
            self._round(events)
        if sweep:
            self._sweep(watermark_ms)
        state = self.table.state.copy()
        state.watermark_ms = watermark_ms
        rfm_scores = settle(self.evaluations, state.quintiles, self.work)
        recount(state, old_cell, cells(self.work))
        moved = together(self.moved)
        alerts = explain(moved, rfm_scores, self.ids, self.batch, self.rules.context, self.model) if self.told else []
        ids, records, rows, gone = self._kept()
        repeats = np.concatenate([np.empty(0, np.intp), *self.repeats])
        snapshots, outcomes = self.outcomes.snapshots(self.ids), self.outcomes.outcomes(self.ids)
        told = in_columns(moved, self.ids), repeats, snapshots, outcomes, self.outcomes.void(self.ids)
        return Step(ids, records, rows, state, alerts, self._stats(repeats), gone, *told)

    def _kept(self) -> tuple[list[str], Records, NDArray[np.intp], list[str]]:
        """Ids, records and rows of those who are there in the end, and who is gone of those who were stored."""
        here = self.work["first_seen_s"] > 0
        if here.all():
            return self.ids, self.work, self.rows, []
        kept = np.flatnonzero(here)
        gone = np.flatnonzero(~here & (self.rows >= 0))  # who came and went within this step was never stored
        ids, left = ([self.ids[k] for k in who.tolist()] for who in (kept, gone))
        return ids, gather(self.work, kept), self.rows[kept], left

    def _add_due(self, rows: NDArray[np.intp]) -> None:
        """Bring in those of the table who come due and send nothing in this batch."""
        rows = rows[~np.isin(rows, self.rows)]
        if len(rows):
            self.rows = np.concatenate([self.rows, rows])
            self.ids += self.table.ids_at(rows)

    def _round(self, events: NDArray[np.intp]) -> None:
        """Fold and evaluate events of different customers."""
        batch, slots = self.batch, self.slots[events]
        time_ms, before_ms = batch.time_ms[events], self.before[events]
        floor_ms = np.maximum(time_ms, before_ms)
        # in arrears after a hold, a look belongs to the watermark it meets: the sketch has gone past the day on which it was due
        self._fire(slots, floor_ms, before_ms * self.held, self.after[events])
        rows = gather(self.work, slots)
        repeat, folded = self.ahead.at(events, slots, rows)
        if repeat.any():
            self.repeats.append(events[repeat])
            fresh = ~repeat
            events, slots, rows = events[fresh], slots[fresh], gather(rows, np.flatnonzero(fresh))
            if not len(events):
                return
        time_ms, as_of_ms, kind = batch.time_ms[events], folded.as_of_ms, batch.kind[events]
        self.late += int((time_ms < self.before[events]).sum())
        over = np.flatnonzero(ended(folded.rows) & ~ended(rows))
        self.outcomes.cancelled(slots[over], gather(folded.rows, over), time_ms[over], as_of_ms[over])
        late = np.flatnonzero((kind == LOGIN) & (time_ms < as_of_ms))
        self.outcomes.logged_in(slots[late], gather(folded.rows, late), time_ms[late], as_of_ms[late])
        self._evaluate(slots, folded, self.after[events], kind == PURCHASE, last_purchase_day(rows), events)

    def _fire(self, slots: NDArray[np.intp], until_ms: Ints, first_ms: Ints, last_ms: Ints) -> None:
        """Fire the looks at `slots` due by `until_ms`, one after another.

        Each belongs where it was due, but not before `first_ms` nor after `last_ms`.
        """
        due_ms = self.work["due_s"][slots].astype(np.int64) * 1000
        while (due := np.flatnonzero(due_ms <= until_ms)).size:
            slots, until_ms, first_ms, last_ms, due_ms = slots[due], until_ms[due], first_ms[due], last_ms[due], due_ms[due]
            self._look(slots, due_ms, np.minimum(np.maximum(due_ms, first_ms), last_ms))
            due_ms = self.work["due_s"][slots].astype(np.int64) * 1000

    def _look(self, slots: NDArray[np.intp], due_ms: Ints, place_ms: Ints) -> None:
        """One look at each of these; who has sent nothing for too long is forgotten by it."""
        rows = gather(self.work, slots)
        last = is_last_look(rows, due_ms, self.rules.looks)
        if last.any():
            self.outcomes.forgotten(slots[last], gather(rows, np.flatnonzero(last)), due_ms[last])
            self._forget(slots[last], gather(rows, np.flatnonzero(last)), place_ms[last])
            slots, rows, due_ms, place_ms = slots[~last], gather(rows, np.flatnonzero(~last)), due_ms[~last], place_ms[~last]
        self.outcomes.look(slots, rows, due_ms)
        no_purchase = np.zeros(len(rows), bool)
        no_event = np.full(len(rows), NO_EVENT, np.intp)
        looked = Folded(rows, due_ms, assess(self.model, rows, due_ms, np.arange(len(rows))))
        self._evaluate(slots, looked, place_ms, no_purchase, last_purchase_day(rows), no_event)
        self.looks += len(rows)

    def _forget(self, slots: NDArray[np.intp], rows: Records, place_ms: Ints) -> None:
        """Take the customers at `slots`, whose rows these are, for new ones, and out of the sketch at their place."""
        scatter(self.work, slots, new_records(len(slots)))
        self.ahead.forget(slots)
        nothing, reason = np.zeros(len(slots), np.uint8), np.full(len(slots), FORGOTTEN, np.uint8)
        old_bins = rows["frequency_bin"], rows["monetary_bin"]
        self.evaluations.append(
            slots, place_ms, last_purchase_day(rows), *old_bins, np.zeros(len(slots), np.int64), nothing, nothing, reason,
            np.zeros(len(slots), np.uint16),
        )  # fmt: skip
        self.forgotten += len(slots)

    def _sweep(self, watermark_ms: int) -> None:
        everyone = np.arange(len(self.ids))
        limit = np.full(len(self.ids), watermark_ms, np.int64)
        self._fire(everyone, limit, np.zeros_like(limit), limit)

    def _evaluate(
        self,
        slots: NDArray[np.intp],
        now: Folded,
        place_ms: Ints,
        by_purchase: NDArray[np.bool_],
        old_day: Ints,
        events: NDArray[np.intp],
    ) -> None:
        """Decision and next look of different customers; the rows (copies) are changed and put back at `slots`."""
        rows, as_of_ms, (risk, frequency, monetary) = now
        decided = decide(rows["policy"], risk, as_of_ms, rows["purchases"], by_purchase, self.rules.policy, ended(rows))
        copied(decided.state, into=rows["policy"])
        rows["risk_bp"] = risk
        rows["seen_ms"] = as_of_ms
        due_s = next_look_s(rows, as_of_ms, decided.wants_look_ms, self.rules.looks)
        rows["due_s"] = self.outcomes.sooner(due_s, slots, rows, as_of_ms)
        old_bins = rows["frequency_bin"].copy(), rows["monetary_bin"].copy()
        rows["frequency_bin"], rows["monetary_bin"] = frequency, monetary
        scatter(self.work, slots, rows)
        sends = np.flatnonzero(SENDS[decided.reason])
        if len(sends):
            at = self.evaluations.total + sends
            why = decided.reason[sends], decided.previous_tier[sends]
            self.moved.append(Moved(at, slots[sends], gather(rows, sends), as_of_ms[sends], events[sends], *why))
        self.evaluations.append(
            slots, place_ms, old_day, *old_bins, last_purchase_day(rows), frequency, monetary, decided.reason, risk
        )

    def _stats(self, repeats: NDArray[np.intp]) -> StepStats:
        duplicates = np.bincount(self.batch.kind[repeats], minlength=EVENT_KINDS)
        folded = np.bincount(self.batch.kind[self.batch.kind != TICK], minlength=EVENT_KINDS) - duplicates
        reasons, risk_bp = self.evaluations.column("reason"), self.evaluations.column("risk_bp")
        if self.forgotten:
            reasons, risk_bp = reasons[reasons != FORGOTTEN], risk_bp[reasons != FORGOTTEN]
        return StepStats(
            events=tuple(folded.tolist()),
            duplicates=tuple(duplicates.tolist()),
            late=self.late,
            looks=self.looks,
            decisions=np.bincount(reasons, minlength=len(ReasonCode)),
            risk_bp=risk_bp,
            forgotten=self.forgotten,
        )
