"""What a commit does about outcomes: what waits, what is settled, and what the learner is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import numpy as np
import pytest

from detectors.labels import Labels
from detectors.learner_rules import Staying
from detectors.model_inputs import INPUTS
from streams.columns import DAY_MS, TICK, empty_columns
from streams.labels import decode_labels, encode_labels, labels_of, scores_of
from streams.outcomes import OutcomeRules, Outcomes, Snapshots, customer_hashes, label_ids
from streams.pending import pack_pending, pending_name, unpack_pending
from streams.runtime.labelling import NOTHING_LABELLED, Labelled, Labelling
from streams.runtime.store import CommitRequest
from streams.state import PartitionState
from streams.step import Step
from tests.support.memory_store import MemoryStore

pytestmark = pytest.mark.asyncio
RULES = OutcomeRules(horizon_days=90, grid_days=30, active_days=365, lateness_ms=DAY_MS)


def inputs_of(*numbers: float) -> np.ndarray:
    rows = np.zeros((len(numbers), len(INPUTS)), np.float32)
    rows[:, 0], rows[:, 5] = numbers, 7
    return rows


def label_id(customer: str, day: int) -> int:
    return int(label_ids(customer_hashes([customer]), np.array([day]))[0])


def step(snapshots: Snapshots | None = None, outcomes: Outcomes | None = None, void: Sequence[tuple[str, int]] = ()) -> Step:
    state = PartitionState(watermark_ms=200 * DAY_MS)
    nothing: Any = None
    return Step(
        [], nothing, nothing, state, [], nothing, snapshots=snapshots or Snapshots(), outcomes=outcomes or Outcomes(),
        void=list(void),
    )  # fmt: skip


def taken(day: int, **customers: float) -> Snapshots:
    n = len(customers)
    return Snapshots(
        list(customers), customer_hashes(list(customers)), np.full(n, day), inputs_of(*customers.values()), np.full(n, 0.25), None
    )


def found(day: int, known_day: int, **customers: int) -> Outcomes:
    n = len(customers)
    return Outcomes(
        list(customers),
        customer_hashes(list(customers)),
        np.full(n, day),
        np.full(n, known_day * DAY_MS),
        np.array(list(customers.values()), np.uint8),
    )


def ticks(*days: int) -> Any:
    batch = empty_columns(len(days))
    batch.kind[:], batch.time_ms[:] = TICK, np.array(days) * DAY_MS
    return batch


class Partition:
    """One partition's labelling, and a store that takes what it does."""

    def __init__(self) -> None:
        self.store, self.seq = MemoryStore(), 0
        shop: Any = SimpleNamespace(store=self.store)
        self.labelling = Labelling(3, shop, 0)

    async def commit(
        self, one: Step, batch: Any = None, *, history: bool = True, before_day: int = 0, erased: Sequence[str] = ()
    ) -> Labelled:
        batch = empty_columns(0) if batch is None else batch
        if not self.seq:
            await self.store.take_epoch(3, 1, 4, "me")
        labelled = await self.labelling.settle(one, batch, RULES, history=history, before_ms=before_day * DAY_MS, erased=erased)
        self.seq += 1
        request = CommitRequest(self.seq, f"c{self.seq}", pending=labelled.pending, settled=labelled.settled)
        await self.store.commit(3, 1, "me", request)
        self.labelling.committed(batch, RULES, history=history)
        return labelled

    @property
    def waiting(self) -> set[str]:
        return set(self.store.of(3).pending)


def told(labelled: Labelled) -> Labels:
    (message,) = labelled.messages
    return labels_of(decode_labels(encode_labels(message)))


async def test_a_snapshot_waits_until_its_outcome_is_known_and_then_leaves_as_a_label() -> None:
    partition = Partition()
    first = await partition.commit(step(taken(100, anna=3.0, bert=4.0)))
    (message,) = first.messages
    assert message.labels == []
    assert (message.horizon_days, message.staying) == (RULES.horizon_days, msgspec.UNSET)
    rows = scores_of(decode_labels(encode_labels(message)))
    assert rows["id"].tolist() == [label_id("anna", 100), label_id("bert", 100)]
    assert (rows["day"].tolist(), rows["closed_form_bp"].tolist(), rows["logit"].tolist()) == ([100] * 2, [2_500] * 2, [0] * 2)
    assert partition.waiting == {"100:anna", "100:bert"}
    second = await partition.commit(step(outcomes=found(100, 191, anna=1)))
    labels = told(second)
    assert labels.id.tolist() == [label_id("anna", 100)]
    assert (labels.at_ms.tolist(), labels.known_ms.tolist(), labels.left.tolist()) == ([100 * DAY_MS], [191 * DAY_MS], [1])
    assert labels.inputs.tobytes() == inputs_of(3.0).tobytes()
    assert partition.waiting == {"100:bert"}


async def test_outcomes_by_logins_say_so() -> None:
    rules = replace(RULES, staying="logins")
    one = step(taken(100, anna=3.0))
    labelled = await Partition().labelling.settle(one, empty_columns(0), rules, history=False, before_ms=0)
    assert [message.staying for message in labelled.messages] == ["logins"]


async def test_the_outcome_of_a_snapshot_that_was_not_taken_or_was_settled_is_no_label() -> None:
    partition = Partition()
    await partition.commit(step(taken(100, anna=3.0)))
    await partition.commit(step(outcomes=found(100, 191, anna=1)))
    again = await partition.commit(step(outcomes=found(100, 191, anna=1, bert=0)))
    assert again.messages == []
    assert again.settled == []


async def test_a_step_so_long_that_a_snapshot_matures_in_it_stores_nothing() -> None:
    partition = Partition()
    labelled = await partition.commit(step(taken(100, anna=3.0, bert=4.0), found(100, 191, bert=0)))
    assert told(labelled).inputs.tobytes() == inputs_of(4.0).tobytes()
    assert partition.waiting == {"100:anna"}


async def test_labels_are_ordered_by_the_time_they_were_known_and_then_by_id() -> None:
    partition = Partition()
    customers = {f"c{k}": float(k) for k in range(20)}
    await partition.commit(step(taken(100, **customers)))
    labels = told(await partition.commit(step(outcomes=found(100, 191, **dict.fromkeys(reversed(customers), 1)))))
    assert labels.id.tolist() == sorted(label_id(customer, 100) for customer in customers)


async def test_who_is_forgotten_takes_along_what_waits_and_what_was_taken_down_in_the_same_step() -> None:
    partition = Partition()
    await partition.commit(step(taken(129, anna=1.0, bert=2.0)))
    await partition.commit(step(taken(159, anna=1.0, bert=2.0), void=[("anna", 99), ("anna", 129), ("anna", 159)]))
    assert partition.waiting == {"129:bert", "159:bert"}


async def test_who_is_erased_takes_along_what_waits_with_learning_on_or_off() -> None:
    partition = Partition()
    await partition.commit(step(taken(129, anna=1.0, bert=2.0)))
    await partition.commit(step(), erased=["129:anna"])
    assert partition.waiting == {"129:bert"}
    off = await partition.labelling.settle(step(), empty_columns(0), None, history=False, before_ms=0, erased=["129:bert"])
    assert off == Labelled(settled=["129:bert"])


async def test_live_nothing_was_known_before_the_watermark_of_the_commit_before() -> None:
    for history, known in ((True, [191, 195]), (False, [193, 195])):
        partition = Partition()
        await partition.commit(step(taken(100, anna=3.0)))
        await partition.commit(step(taken(104, bert=3.0)))
        outcomes = Outcomes(
            ["anna", "bert"], customer_hashes(["anna", "bert"]), np.array([100, 104]), np.array([191, 195]) * DAY_MS,
            np.array([1, 1], np.uint8),
        )  # fmt: skip
        labels = told(await partition.commit(step(outcomes=outcomes), history=history, before_day=193))
        assert (labels.known_ms // DAY_MS).tolist() == known


async def test_history_tells_every_tick_and_a_live_partition_what_there_is() -> None:
    partition = Partition()
    assert (await partition.commit(step())).messages == []
    (passed,) = (await partition.commit(step(), ticks(150, 151))).messages
    assert (passed.reached_ms, passed.history, passed.labels) == (151 * DAY_MS, True, [])
    assert (await partition.commit(step())).messages == []
    (live,) = (await partition.commit(step(taken(100, anna=3.0)), history=False)).messages
    assert (live.reached_ms, live.history) == (200 * DAY_MS, False)


async def test_that_history_has_ended_is_told_once_by_who_has_nothing_else_to_tell() -> None:
    partition = Partition()
    await partition.commit(step(), ticks(150))
    partition.labelling = Labelling(3, partition.labelling._shop, partition.labelling.tick_ms)  # another takes over
    (ended,) = (await partition.commit(step(), history=False)).messages
    assert (ended.reached_ms, ended.history, ended.labels, ended.scored) == (200 * DAY_MS, False, [], None)
    assert partition.labelling.tick_ms == 0, "and so whoever takes over knows that it is told"
    assert (await partition.commit(step(), history=False)).messages == []


async def test_who_never_loaded_history_has_no_end_of_it_to_tell() -> None:
    assert (await Partition().commit(step(), history=False)).messages == []


async def test_the_end_of_a_history_is_told_later_where_learning_was_off_at_the_switch() -> None:
    partition = Partition()
    await partition.commit(step(), ticks(150))
    partition.labelling.committed(empty_columns(0), None, history=False)
    (ended,) = (await partition.commit(step(), history=False)).messages
    assert not ended.history


async def test_without_learning_there_is_nothing_to_do() -> None:
    partition = Partition()
    assert await partition.labelling.settle(step(), ticks(5), None, history=True, before_ms=0) is NOTHING_LABELLED


async def test_inputs_of_another_release_are_no_label() -> None:
    kept = [pack_pending(inputs_of(1.0, 0.0), staying)[k] for k, staying in enumerate(get_args(Staying))]
    places, inputs, staying = unpack_pending([None, kept[0], b"\0\0\0\0" + kept[1][4:], kept[1]])
    assert (places, staying) == ([1, 3], ["purchases", "logins"])
    assert inputs.tobytes() == inputs_of(1.0, 0.0).tobytes()
    assert pending_name("a:b", 5) == "5:a:b"
