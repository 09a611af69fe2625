"""Whatever a receiver answers and whenever the desk changes hands, a message is delivered or counted in a delivered digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import Alert, Digest, Message
from alerts.delivery import Desk, Outcome
from alerts.selection import Recent, known_as
from alerts.stages.budget import MINUTE_MS
from tests.support.messages import a_message, catch_up, no_data

OUTCOMES: list[Outcome] = ["delivered", "delivered", "failed", "refused"]
MOVES = ("fired", "escalated", "deescalated", "resolved")


@st.composite
def topics(draw: st.DrawFn) -> list[Message]:
    """What stands in a partition, some of it twice."""
    messages: list[Message] = []
    for k in range(draw(st.integers(0, 25))):
        kind = draw(st.integers(0, 9))
        if kind == 0:
            messages.append(no_data(transition=k + 1))
        elif kind == 1 and messages:
            messages.append(draw(st.sampled_from(messages)))
        else:
            messages.append(a_message(f"c{draw(st.integers(0, 5))}", draw(st.sampled_from(MOVES)), k + 1))
    return [*messages, catch_up()] if draw(st.booleans()) else messages


@dataclass
class Receiver:
    """Answers as drawn, then delivers everything; remembers what it got, and when.

    singles   id -> how often it came
    digested  messages that digests counted, by the desk's own account
    """

    answers: Iterator[Outcome]
    singles: dict[str, int] = field(default_factory=dict)
    times_ms: list[int] = field(default_factory=list)
    digested: int = 0

    def answer(self, message: Message, now_ms: int, stands_for: int) -> Outcome:
        outcome = next(self.answers, "delivered")
        if outcome == "delivered" and isinstance(message, Digest) and message.kind == "overflow":
            self.digested += stands_for
        elif outcome == "delivered":
            self.singles[known_as(message)] = self.singles.get(known_as(message), 0) + 1
            self.times_ms += [now_ms] if isinstance(message, Alert) else []
        return outcome


def drain(desk: Desk, topic: list[Message], start: int, receiver: Receiver, now_ms: int, steps: int) -> tuple[int, int]:
    """Read on from `start` and send, for so many steps; where reading is, and the time."""
    offset = start
    for _ in range(steps):
        if offset < len(topic) and desk.wants_more(now_ms):
            desk.take(0, offset, topic[offset])
            offset += 1
        sending = desk.next(now_ms)
        if sending is not None:
            outcome = receiver.answer(sending.message, now_ms, sending.stands_for)
            desk.answered(sending, outcome, now_ms)
            now_ms += 7
        elif offset == len(topic) or not desk.wants_more(now_ms):
            wake_ms = desk.wake_ms()
            if wake_ms is None:
                break
            now_ms = max(now_ms, wake_ms)
    return offset, now_ms


def a_desk(per_minute: int, attempts: int, delivered: Recent, begin: int) -> Desk:
    desk = Desk("chat", per_minute=per_minute, attempts=attempts, pause_ms=lambda n: 50 * n, delivered=delivered)
    desk.begin(0, begin)
    return desk


@settings(max_examples=300, deadline=None)
@given(topics(), st.lists(st.sampled_from(OUTCOMES), max_size=60), st.integers(1, 6), st.integers(1, 3))
def test_delivered_and_digested_are_all_that_was_told(
    topic: list[Message], answers: list[Outcome], per_minute: int, attempts: int
) -> None:
    receiver = Receiver(iter(answers))
    desk = a_desk(per_minute, attempts, Recent(1_000), 0)
    drain(desk, topic, 0, receiver, 0, 10_000)
    told = {known_as(message) for message in topic}
    assert set(receiver.singles) <= told
    assert set(receiver.singles.values()) <= {1}
    assert len(receiver.singles) + receiver.digested == len(told)
    assert desk.positions() == {0: len(topic)}
    for begin_ms in receiver.times_ms:
        assert sum(begin_ms <= at_ms < begin_ms + MINUTE_MS for at_ms in receiver.times_ms) <= 2 * per_minute


@settings(max_examples=200, deadline=None)
@given(topics(), st.lists(st.sampled_from(OUTCOMES), max_size=60), st.integers(1, 6), st.lists(st.integers(0, 15), max_size=4))
def test_nothing_is_missing_after_any_number_of_crashes(
    topic: list[Message], answers: list[Outcome], per_minute: int, crashes: list[int]
) -> None:
    """A successor in another process knows nothing but the positions."""
    receiver, begin, now_ms = Receiver(iter(answers)), 0, 0
    for steps in [*crashes, 10_000]:
        desk = a_desk(per_minute, 2, Recent(1_000), begin)
        before = receiver.digested
        _, now_ms = drain(desk, topic, begin, receiver, now_ms, steps)
        settled = range(begin, desk.positions()[0])
        singles = {k for k in settled if known_as(topic[k]) in receiver.singles}
        missing = {known_as(topic[k]) for k in set(settled) - singles}
        assert len(missing) <= receiver.digested - before, "what is passed by was delivered or digested by this desk"
        begin = desk.positions()[0]
    assert begin == len(topic)


@settings(max_examples=200, deadline=None)
@given(topics(), st.sets(st.sampled_from([f"c{k}" for k in range(6)]), max_size=3), st.integers(1, 3))
def test_whoever_the_receiver_never_takes_costs_nobody_else_a_message(topic: list[Message], bad: set[str], attempts: int) -> None:
    """Also in a digest: it takes none that names them."""

    class Choosy(Receiver):
        def answer(self, message: Message, now_ms: int, stands_for: int) -> Outcome:
            about = message.top if isinstance(message, Digest) else [message]
            known = {getattr(one, "customer_id", "") for one in about}
            return "failed" if bad & known else super().answer(message, now_ms, stands_for)

    # a message is blamed when another passes while it fails, so it takes one for each
    good = [a_message("good", number=k + 1) for k in range(len(topic) + 3)]
    receiver = Choosy(iter(()))
    desk = a_desk(1_000, attempts, Recent(1_000), 0)
    whole = [*topic, *good]
    drain(desk, whole, 0, receiver, 0, 10_000)
    others = {known_as(message) for message in whole if getattr(message, "customer_id", "") not in bad}
    assert others <= set(receiver.singles)
    assert desk.positions() == {0: len(whole)}
