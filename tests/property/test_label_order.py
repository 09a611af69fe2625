"""What is learnt of a history is a matter of each partition's own order: not of how messages were cut, woven or repeated, nor of
where the learner was killed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from streams.label_order import LabelOrder, Release
from streams.labels import LabelMessage
from tests.oracle.label_order_twin import DAY_MS, Learnt, Told, learnt
from tests.support.examples import examples
from tests.support.label_messages import message

Partitions = list[list[Told]]


@st.composite
def histories(draw: st.DrawFn) -> Partitions:
    """What partitions tell: ticks of the same days, one of which a partition may pass over; labels and scores in between, of this
    day, of days to come, or late, some by more than is remembered."""
    days = draw(st.integers(1, 25))
    found: Partitions = []
    for partition in range(draw(st.integers(1, 3))):
        chance = random.Random(draw(st.integers(0, 2**32)))
        tellings: list[Told] = []
        for day in range(10_000, 10_000 + days):
            for _ in range(chance.choice([0, 0, 1, 3])):
                kind = chance.choice(["label", "score"])
                off = chance.choice([0, 0, 0, 1, 2, -1, -7, -9, -20])
                at_ms = (day + off) * DAY_MS + (chance.choice([0, 0, 1, DAY_MS // 2]) if kind == "label" else 0)
                tellings.append(Told(kind, at_ms, partition << 60 | len(tellings)))
            if chance.random() < 0.9:
                tellings.append(Told("tick", day * DAY_MS))
        found.append(tellings)
    return found


def told_in(partition: int, tellings: Sequence[Told], reached_ms: int) -> LabelMessage:
    """One message that tells these; a tick among them is the last."""
    known, scored = ([(told.id, told.at_ms) for told in tellings if told.kind == kind] for kind in ("label", "score"))
    return message(partition, reached_ms, known, scored)


@dataclass
class Source:
    """A partition that sends what it tells in messages of any size, and now and then goes back and sends again."""

    partition: int
    tellings: Sequence[Told]
    chance: random.Random
    at: int = 0
    ended: bool = False

    def next(self) -> LabelMessage:
        if self.at and self.chance.random() < 0.15:  # a worker that took over; what it repeats may be cut otherwise
            self.at = self.chance.randrange(self.at)
        size = self.chance.choice([1, 2, 5])
        part = self.tellings[self.at : self.at + size]
        ticks = [k for k, told in enumerate(part) if told.kind == "tick"]
        part = part[: ticks[0] + 1] if ticks else part
        self.at += len(part)
        passed_ms = [told.at_ms for told in self.tellings[: self.at] if told.kind == "tick"]
        self.ended = self.at == len(self.tellings)
        return told_in(self.partition, part, max(passed_ms, default=0))


def topic(partitions: Partitions, seed: int) -> Iterator[LabelMessage]:
    """The partitions' messages woven at random."""
    chance = random.Random(seed)
    sources = [Source(number, tellings, chance) for number, tellings in enumerate(partitions) if tellings]
    while sources:
        source = chance.choice(sources)
        yield source.next()
        if source.ended:
            sources.remove(source)


@dataclass
class Reader:
    """Reads a topic, notes what it is to learn, and begins anew from its stored state when killed."""

    partitions: int
    read: list[LabelMessage] = field(default_factory=list)
    found: list[Learnt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order = LabelOrder(self.partitions)

    def push(self, told: LabelMessage) -> None:
        self.read.append(told)
        self.found += [as_learnt(release) for release in self.order.push(len(self.read) - 1, told)]

    def kill(self) -> None:
        stored = self.order.to_bytes()
        self.order = LabelOrder.from_bytes(stored, self.partitions)
        assert self.order.to_bytes() == stored
        for offset in range(self.order.next_offset, len(self.read)):
            assert self.order.push(offset, self.read[offset]) == [], "nothing is learnt twice"


def as_learnt(release: Release) -> Learnt:
    assert release.tick_ms is not None
    labels = tuple(zip(release.labels.known_ms.tolist(), release.labels.id.tolist(), strict=True))
    assert [scored.closed_form_bp for _, scored in release.scored] == [5_000 * scored.customers for _, scored in release.scored]
    return Learnt(release.tick_ms, labels, frozenset([sum(scored.logits[7] for _, scored in release.scored)]))


def counted(found: list[Learnt]) -> list[Learnt]:
    """With the number of the scores in place of their ids, which are added up."""
    return [Learnt(one.tick_ms, one.labels, frozenset([len(one.scored)])) for one in found]


@examples(80)
@given(histories(), st.integers(0, 2**32), st.floats(0, 0.5))
def test_whatever_is_repeated_woven_or_killed_the_same_is_learnt(partitions: Partitions, seed: int, killed: float) -> None:
    reader, chance = Reader(len(partitions)), random.Random(seed)
    for told in topic(partitions, seed):
        reader.push(told)
        if chance.random() < killed:
            reader.kill()
    assert reader.found == counted(learnt(partitions))


@examples(40)
@given(histories(), st.integers(0, 2**32), st.integers(0, 2**32))
def test_the_state_in_the_end_is_one_however_it_was_read(partitions: Partitions, one: int, other: int) -> None:
    found = []
    for seed in (one, other):
        reader = Reader(len(partitions))
        for told in topic(partitions, seed):
            reader.push(told)
        found.append((reader.order.complete_ms, reader.order.waits_for(), [once.state() for once in reader.order._labels]))
    assert found[0] == found[1]
