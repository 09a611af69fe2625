"""Workers, a network and a server that loses things, around a partition store; after every step: is there still one truth?

The server is any store (or several side by side, which must agree). The world knows nothing of how a store refuses. It keeps the
history, commit by commit, and holds the store to what a reader of the port would expect:

    one chain       a commit is applied onto that commit alone which its content was computed from, and only of the last owner
    nothing lost    what was acknowledged is there, once, unless the server went back; then its owner must hear of it
                    (LostCommits) before anything that he computed after it is applied
    all or nothing  what is stored is exactly what the history comes to; a refusal changes nothing
    with a cause    nobody is refused for nothing: Fenced where another took over, LostCommits where the server went back
    nothing unsent  an outbox entry is forgotten only after Kafka has it; numbers have no gaps
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from streams.runtime.store import CommitRequest, Meta, OutboxEntry, StoreError
from tests.support.store_cases import StoreCase
from tests.support.store_truth import (
    COUNT,
    CUSTOMERS,
    NAMES,
    PARTITION,
    Commit,
    Incarnation,
    Message,
    State,
    Truth,
    shown_by,
    state_of,
)


class World:
    """cases   the stores, empty"""

    def __init__(self, cases: Sequence[StoreCase], runner: asyncio.Runner) -> None:
        self.cases, self._runner = cases, runner
        self.truth = Truth()
        self.sent: set[OutboxEntry] = set()
        self.gone_back = self.taken = 0
        self._saved: tuple[list[Any], Truth] | None = None
        self._ids = 0
        self._shown = self._look()

    # -- what workers do --------------------------------------------------------------------------------------------

    def new(self, name: str, generation: int) -> Incarnation:
        """A worker that is about to take the epoch."""
        self._ids += 1
        return Incarnation(name, generation, f"{name}{self._ids}")

    def compute(self, who: Incarnation, customers: int, entries: int, forget: bool) -> Commit:
        """Its next commit, whose every part tells its number and its author."""
        self._ids += 1
        seq, mark = who.seq + 1, f"{who.nonce} {self._ids}"
        ids = CUSTOMERS[:customers]
        outbox = [OutboxEntry(who.outbox_no + 1 + k, "t", who.nonce.encode(), f"{mark} {k}".encode()) for k in range(entries)]
        request = CommitRequest(
            seq, mark, [(name, f"{mark} {name}".encode()) for name in ids],
            [(name, None if (seq + k) % 3 == 0 else seq) for k, name in enumerate(ids)],
            [(name, min(1.0, seq / 100)) for name in ids],
            {"purchases": who.offsets.get("purchases", -1) + 1 + customers}, mark.encode() if customers != 1 else None, outbox,
            [(name, seq) for name in NAMES[:customers]], seq - 1 if forget else None, follows=who.head,
        )  # fmt: skip
        who.pending = Commit(request, who.head)
        return who.pending

    # -- what the server does ---------------------------------------------------------------------------------------

    def deliver(self, message: Message, *, heard: bool) -> None:
        """The server gets the message; `heard`: and its sender the answer."""
        who, what = message
        if what is None:
            self._take(who, heard)
        elif isinstance(what, Commit):
            self._commit(who, what, heard)
        else:
            self._acknowledge(who, what)
        self.look()

    def save(self) -> None:
        """What a replica has by now."""
        self._saved = ([self._run(case.save(PARTITION)) for case in self.cases], self.truth.copy())

    def go_back(self) -> None:
        """The replica takes over."""
        if self._saved is None:
            return
        saved, truth = self._saved
        for case, one in zip(self.cases, saved, strict=True):
            self._run(case.restore(PARTITION, one))
        self.truth = truth.copy()
        self.gone_back += 1
        self.look()

    def reset(self) -> None:
        """`rebuild --keep-state`."""
        known = {self._run(case.store.reset_generation(PARTITION)) for case in self.cases}
        assert known == {self.truth.epoch > 0}, "it says whether there was anything to reset"
        if self.truth.epoch > 0:
            self.truth.owner, self.truth.generation = None, -1
            self.truth.epoch += 1
            self.taken += 1
        self.look()

    def _take(self, who: Incarnation, heard: bool) -> None:
        outcome = self._all("take_epoch", who.generation, COUNT, who.nonce)
        if who.generation < self.truth.generation:
            assert outcome == "StaleGeneration", f"a generation older than the stored one was answered with {outcome}"
            who.told = outcome if heard else who.told
            return
        assert isinstance(outcome, Meta), f"nothing forbids {who.nonce} to take over, but: {outcome}"
        if self.truth.owner is not who:  # else it is a copy of the call by which it owns
            self.truth.epoch += 1
            self.truth.owner, self.truth.generation = who, who.generation
            self.taken += 1
        if who.epoch is None:  # else a copy of its call came late, and it owns under an epoch of which it knows nothing
            who.owned_at = (self.gone_back, self.taken)
        if heard and who.epoch is None:
            who.epoch, who.head, who.seq = outcome.epoch, outcome.commit_id, outcome.seq
            who.offsets, who.outbox_no = outcome.offsets, outcome.outbox_no
            who.entries = {entry.number: entry for entry in self._shown.outbox}

    def _commit(self, who: Incarnation, commit: Commit, heard: bool) -> None:
        assert who.epoch is not None
        outcome = self._all("commit", who.epoch, who.nonce, commit.request)
        applied = self._applied(who, commit) if outcome is None else False
        if outcome is not None and who.pending is commit:  # a copy of what was answered long ago is no news to anybody
            self._has_cause(who, outcome)
        elif outcome is None and not applied:
            assert self.truth.history[-1:] == [commit], "acknowledged, and not there"
        if not heard:
            return
        if outcome is not None:
            who.told = str(outcome)
        elif who.pending is commit:
            who.pending, who.head, who.seq = None, commit.request.commit_id, commit.request.seq
            who.offsets, who.outbox_no = who.offsets | commit.request.offsets, who.outbox_no + len(commit.request.outbox)
            who.acknowledged[commit.request.commit_id] = commit.request.seq
            who.entries |= {entry.number: entry for entry in commit.request.outbox}

    def _applied(self, who: Incarnation, commit: Commit) -> bool:
        """Whether it was just now; then it must have been allowed."""
        before, now = self._shown.meta, self._look().meta
        if (now.seq, now.commit_id) == (before.seq, before.commit_id):
            return False
        ids = [one.request.commit_id for one in self.truth.history]
        assert self._owns(who), f"{who.nonce} owns nothing and has written"
        assert commit.base == (ids[-1] if ids else ""), "applied onto another commit than it was computed from"
        lost = {one for one, seq in who.acknowledged.items() if seq < commit.request.seq} - set(ids)
        assert not lost, f"{who.nonce} was not told that the server lost {lost}, and has written"
        self.truth.history.append(commit)
        self.truth.waiting += commit.request.outbox
        return True

    def _acknowledge(self, who: Incarnation, up_to_no: int) -> None:
        assert who.epoch is not None
        outcome = self._all("outbox_ack", who.epoch, who.nonce, up_to_no)
        if outcome is not None:
            self._has_cause(who, outcome)
            return
        assert self._owns(who), f"{who.nonce} owns nothing and has emptied the outbox"
        kept = [entry for entry in self.truth.waiting if entry.number > up_to_no]
        unsent = [entry for entry in self.truth.waiting if entry.number <= up_to_no and entry not in self.sent]
        assert not unsent, f"forgotten before Kafka had it: {unsent}"
        self.truth.waiting = kept

    def _owns(self, who: Incarnation) -> bool:
        return self.truth.owner is who and self.truth.epoch == who.epoch

    def _has_cause(self, who: Incarnation, refusal: Any) -> None:
        back, taken = self.gone_back - who.owned_at[0], self.taken - who.owned_at[1]
        cause = {"LostCommits": back, "Fenced": taken}[refusal]
        assert cause, f"{who.nonce} was refused for nothing: {refusal}"

    # -- what is looked at ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Hold what is stored against the history."""
        self._shown = self._look()
        expected = state_of(self.truth)
        meta = self._shown.meta
        assert (meta.epoch, meta.generation) == (self.truth.epoch, self.truth.generation)
        assert meta.nonce == (self.truth.owner.nonce if self.truth.owner else "")
        for name in ("seq", "commit_id", "offsets", "state", "outbox_no"):
            assert getattr(meta, name) == getattr(expected.meta, name), f"{name} is not what the commits come to"
        assert self._shown._replace(meta=meta) == expected._replace(meta=meta), "not what the commits come to"

    def _look(self) -> State:
        shown = [self._run(shown_by(case)) for case in self.cases]
        assert all(one == shown[0] for one in shown), "the stores hold different things"
        return shown[0]

    def _all(self, call: str, *args: Any) -> Any:
        """What each store makes of a call: None, a Meta, or the name of the error. They must agree."""
        outcomes = [self._run(_outcome(getattr(case.store, call)(PARTITION, *args))) for case in self.cases]
        assert all(one == outcomes[0] for one in outcomes), f"the stores disagree: {outcomes}"
        assert outcomes[0] not in ("StoreDamaged", "StoreMisconfigured"), "no request of these is malformed"
        return outcomes[0]

    def _run(self, work: Any) -> Any:
        return self._runner.run(work)


async def _outcome(call: Any) -> Any:
    try:
        return deepcopy(await call)
    except StoreError as error:
        return type(error).__name__
