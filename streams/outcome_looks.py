"""The looks of one step at which customers are taken down for learning, or their outcomes become known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.served import ServedModel
from streams.columns import DAY_MS
from streams.customer import Records, gather
from streams.model_inputs import model_inputs
from streams.outcomes import (
    OutcomeRules,
    Outcomes,
    Snapshots,
    next_outcome_look_s,
    open_days,
    outcome_due,
    phases,
    snapshot_day,
    snapshot_due,
)
from streams.staying import left, stayed, stayed_after_all, unknown

Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]


class OutcomeLooks:
    """Collects what the step's looks find.

    rules   None: nothing is taken down, and no look is asked for
    hashes  of the step's customers
    model   what the snapshots are scored with
    """

    def __init__(self, rules: OutcomeRules | None, hashes: NDArray[np.uint64], model: ServedModel) -> None:
        self._rules, self._model = rules, model
        self._hashes = hashes
        self._phase = phases(hashes, rules.grid_days) if rules else np.empty(0, np.int64)
        self._taken: list[tuple[NDArray[np.intp], Ints, NDArray[np.float32]]] = []
        self._found: list[tuple[NDArray[np.intp], Ints, Ints, Marks, Marks]] = []
        self._void: list[tuple[NDArray[np.intp], Ints]] = []

    def sooner(self, due_s: NDArray[np.uint32], slots: NDArray[np.intp], rows: Records, as_of_ms: Ints) -> NDArray[np.uint32]:
        """The times of the next looks, s: those at `due_s`, or sooner where a snapshot or an outcome needs it."""
        if self._rules is None:
            return due_s
        return np.minimum(due_s, next_outcome_look_s(rows, as_of_ms, self._phase[slots], self._rules))

    def look(self, slots: NDArray[np.intp], rows: Records, due_ms: Ints) -> None:
        """Looks at different customers, as they are just before anything that happens at `due_ms`."""
        if self._rules is None:
            return
        phase = self._phase[slots]
        at = np.flatnonzero(snapshot_due(rows, due_ms, phase, self._rules))
        if len(at):
            self._taken.append((slots[at], due_ms[at], model_inputs(gather(rows, at), due_ms[at])))
        if self._rules.staying == "logins":
            at = np.flatnonzero(stayed(rows, due_ms, phase, self._rules))
            self._find(slots[at], due_ms[at] // DAY_MS - self._rules.horizon_days, due_ms[at], left=False)
        at = np.flatnonzero(outcome_due(rows, due_ms, phase, self._rules))
        if len(at):
            of_these, day = gather(rows, at), snapshot_day(due_ms[at], self._rules)
            marks = left(of_these, day, self._rules), unknown(of_these, day, self._rules)
            self._found.append((slots[at], day, due_ms[at], *marks))

    def cancelled(self, slots: NDArray[np.intp], rows: Records, cancelled_ms: Ints, as_of_ms: Ints) -> None:
        """Different customers have ended the relationship, as of `cancelled_ms`: whatever waits has its outcome."""
        if self._rules is None or not len(slots):
            return
        at, day = open_days(rows, as_of_ms, self._phase[slots], self._rules)
        if len(at):
            # no look is asked for after the end, so of a horizon that was over by then the record must tell now
            within, of_these = cancelled_ms[at] < (day + self._rules.horizon_days) * DAY_MS, gather(rows, at)
            marks = within | left(of_these, day, self._rules), ~within & unknown(of_these, day, self._rules)
            self._found.append((slots[at], day, as_of_ms[at], *marks))

    def logged_in(self, slots: NDArray[np.intp], rows: Records, login_ms: Ints, as_of_ms: Ints) -> None:
        """Different customers' logins are folded: one that comes late may show that its customer stayed."""
        if self._rules is None or self._rules.staying != "logins" or not len(slots):
            return
        at, day = stayed_after_all(rows, login_ms, as_of_ms, self._phase[slots], self._rules)
        self._find(slots[at], day, as_of_ms[at], left=False)

    def forgotten(self, slots: NDArray[np.intp], rows: Records, as_of_ms: Ints) -> None:
        """Different customers are forgotten before anything else that is due at `as_of_ms`: what waits waits for nothing."""
        if self._rules is not None:
            at, day = open_days(rows, as_of_ms - 1, self._phase[slots], self._rules)
            self._void.append((slots[at], day))

    def _find(self, slots: NDArray[np.intp], day: Ints, known_ms: Ints, *, left: bool) -> None:
        if len(slots):
            self._found.append((slots, day, known_ms, np.full(len(slots), left), np.zeros(len(slots), np.bool_)))

    def void(self, ids: Sequence[str]) -> list[tuple[str, int]]:
        """(customer, day) of what waits for nothing."""
        return [(ids[k], day) for slots, days in self._void for k, day in zip(slots.tolist(), days.tolist(), strict=True)]

    def snapshots(self, ids: Sequence[str]) -> Snapshots:
        """Who was taken down, by day and hash."""
        if not self._taken:
            return Snapshots()
        slot, due_ms, inputs = (np.concatenate(column) for column in zip(*self._taken, strict=True))
        order = np.lexsort((self._hashes[slot], due_ms))  # which does not depend on where batches were cut
        slot = slot[order]
        inputs = np.ascontiguousarray(inputs[order])
        closed_form, logit = self._model.logits(inputs)
        version = "" if self._model.linear is None else self._model.linear.version
        customers = [ids[k] for k in slot.tolist()]
        return Snapshots(customers, self._hashes[slot], due_ms[order] // DAY_MS, inputs, closed_form, logit, version)

    def outcomes(self, ids: Sequence[str]) -> Outcomes:
        """What became of whom, by the time at which it was known and hash."""
        if not self._found:
            return Outcomes()
        slot, day, known_ms, gone, unclear = (np.concatenate(column) for column in zip(*self._found, strict=True))
        order = np.lexsort((self._hashes[slot], known_ms))
        slot = slot[order]
        customers = [ids[k] for k in slot.tolist()]
        left = gone[order].astype(np.uint8)
        return Outcomes(customers, self._hashes[slot], day[order], known_ms[order], left, unclear[order])
