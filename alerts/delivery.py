"""One channel's messages between being read and being settled. Pure: time is an argument, and the answers of the receiver too.

    desk = Desk(...)
    desk.take(partition, offset, message)    a message that is told, in order; `desk.skip` for one that is not
    sending = desk.next(now_ms)              what to send now, if anything
    desk.answered(sending, answer, now_ms)   what came of it
    desk.positions()                         where a successor begins: nothing before is unsettled

A message is settled when it was delivered, or when a digest that counts it was. Alerts beyond the minute's budget, those that
the receiver refuses, and those that fail again and again while others pass go into the digest; it leaves when the minute ends,
and is tried for as long as it takes, in the end without names. Of one customer's alert messages leave in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from alerts.alert import Alert, Digest, Message
from alerts.digest import DigestBuilder
from alerts.selection import Recent, known_as
from alerts.stages.budget import Budget

Outcome = Literal["delivered", "refused", "failed"]
RECENT = 20_000
PLAIN_AFTER = 4
"""A digest that failed `attempts` times so often names nobody any more: a name may be what the receiver does not take."""
STUCK = 100
"""So many that fail again and again are kept at most, while others are read to see whether they pass."""


class Sending(NamedTuple):
    """What is to be sent, and for how many messages it stands; `item` is None for the overflow digest."""

    message: Message
    stands_for: int
    item: Item | None


class Settled(NamedTuple):
    """So many messages are settled, in this way."""

    outcome: Literal["delivered", "digested"]
    messages: int


@dataclass(eq=False, slots=True)
class Item:
    """A message in the line."""

    partition: int
    offset: int
    message: Message
    failures: int = 0
    suspect: bool = False  # others passed while it failed

    @property
    def subject(self) -> str:
        """Messages of one subject leave in order."""
        return self.message.digest_id if isinstance(self.message, Digest) else self.message.alert_id


class Desk:
    """The desk of whoever holds a channel; make a new one whenever it is taken over.

    channel      its name
    per_minute   most alerts told singly in a minute, >= 1
    attempts     failures in a row after which another message is tried in between, >= 1
    pause_ms     pause after the n-th failure in a row, n >= 1
    delivered    ids that were delivered, also at former desks of this process
    shows        whether the receiver shows what a message changes or ends: such a one is never held back by the budget
    now_ms arguments are wall clock, ms since 1970, and may not fall.
    """

    def __init__(
        self,
        channel: str,
        *,
        per_minute: int,
        attempts: int,
        pause_ms: Callable[[int], int],
        delivered: Recent,
        shows: Callable[[Message], bool] = lambda _: False,
    ) -> None:
        self._attempts, self._pause_ms, self._delivered, self._shows = attempts, pause_ms, delivered, shows
        self._budget = Budget(per_minute)
        self._digest = DigestBuilder(channel)
        self._digest_due_ms = 0
        self._digest_failures = 0
        self._digest_plain = False  # what it would name is what the receiver does not take
        self._taken = Recent(RECENT)
        self._line: list[Item] = []
        self._retry_ms = 0
        self._failures = 0  # in a row, of whatever was tried
        self._tried: Item | None = None  # last
        self._read: dict[int, int] = {}  # partition -> offset after the last one read
        self._digest_first: dict[int, int] = {}  # partition -> first offset that the digest counts

    # -- in ---------------------------------------------------------------------------------------------------------

    def begin(self, partition: int, offset: int) -> None:
        """Reading begins here."""
        self._read[partition] = offset

    def skip(self, partition: int, offset: int) -> None:
        """A record that is not told."""
        self._read[partition] = offset + 1

    def take(self, partition: int, offset: int, message: Message) -> bool:
        """A message that is told; False for one that was taken or delivered before."""
        self.skip(partition, offset)
        known = known_as(message)
        if known in self._taken or known in self._delivered:
            return False
        self._taken.add(known)
        self._line.append(Item(partition, offset, message))
        return True

    def wants_more(self, now_ms: int) -> bool:
        """Whether to read on: nothing waits to be told singly, or nothing but what failed again and again, so that it is seen
        whether others pass. What the minute has no room for waits in the digest.
        """
        self._overflow(now_ms)
        return len(self._line) < STUCK and all(item.failures >= self._attempts for item in self._firsts())

    # -- out --------------------------------------------------------------------------------------------------------

    def next(self, now_ms: int) -> Sending | None:
        """What to send now; None while there is nothing, or a pause is to be kept."""
        self._overflow(now_ms)
        if self._digest.messages and now_ms >= self._digest_due_ms:
            return Sending(self._digest.build(now_ms, named=not self._digest_plain), self._digest.messages, None)
        if not self._line or now_ms < self._retry_ms:
            return None
        item = self._candidate()
        return Sending(item.message, 1, item)

    def wake_ms(self) -> int | None:
        """When `next` may have something that it has not now; None: when something is taken."""
        times = [self._digest_due_ms] if self._digest.messages else []
        times += [self._retry_ms] if self._line else []
        return min(times, default=None)

    def answered(self, sending: Sending, outcome: Outcome, now_ms: int) -> Settled | None:
        """What came of what `next` gave, and whether that settles anything."""
        if sending.item is None:
            return self._digest_answered(outcome, now_ms, sending.stands_for)
        self._tried = sending.item
        self._failures = self._failures + 1 if outcome == "failed" else 0
        self._retry_ms = now_ms + self._pause_ms(self._failures) if self._failures else 0
        if outcome == "delivered":
            return self._went(sending.item, now_ms)
        if outcome == "refused" or sending.item.suspect:
            self._into_digest(sending.item, now_ms)
        else:
            sending.item.failures += 1
        return None

    def positions(self) -> dict[int, int]:
        """Partition -> first offset that a successor must read."""
        first = dict(self._read)
        for item in self._line:
            first[item.partition] = min(first[item.partition], item.offset)
        for partition, offset in self._digest_first.items():
            first[partition] = min(first[partition], offset)
        return first

    # -- how --------------------------------------------------------------------------------------------------------

    def _overflow(self, now_ms: int) -> None:
        """Where the minute has no room, alerts go into the digest, but for those about what the receiver shows."""
        if self._line and not self._budget.has_room(now_ms):
            for item in [item for item in self._line if isinstance(item.message, Alert) and not self._shows(item.message)]:
                self._into_digest(item, now_ms)

    def _candidate(self) -> Item:
        """The first in line; after many failures, in turn with the first about something else that has failed least."""
        head = self._line[0]
        if head.failures < self._attempts or head.suspect or self._tried is not head:
            return head
        return min((item for item in self._firsts() if item is not head), key=lambda item: item.failures, default=head)

    def _firsts(self) -> Iterable[Item]:
        """The first in line about each subject: the others wait for it."""
        firsts: dict[str, Item] = {}
        for item in self._line:
            firsts.setdefault(item.subject, item)
        return firsts.values()

    def _went(self, item: Item, now_ms: int) -> Settled:
        head = self._line[0]
        if item is not head:  # the receiver is there; so the first one's next failure will be its own fault
            head.suspect = True
        self._digest_plain = self._digest_plain or self._digest_failures >= self._attempts
        self._line.remove(item)
        self._delivered.add(known_as(item.message))
        if isinstance(item.message, Alert):
            self._budget.spend(now_ms)
        return Settled("delivered", 1)

    def _into_digest(self, item: Item, now_ms: int) -> None:
        self._line.remove(item)
        if not self._digest.messages:
            self._digest_due_ms = self._budget.minute_end_ms(now_ms)
        self._digest.add(item.message, now_ms)
        first = self._digest_first.setdefault(item.partition, item.offset)
        self._digest_first[item.partition] = min(first, item.offset)

    def _digest_answered(self, outcome: Outcome, now_ms: int, messages: int) -> Settled | None:
        """It stays open while it fails, and counts what comes in the meantime."""
        if outcome != "delivered":
            self._digest_failures += 1
            too_often = self._digest_failures >= PLAIN_AFTER * self._attempts
            self._digest_plain = self._digest_plain or too_often or outcome == "refused"
            self._digest_due_ms = now_ms + self._pause_ms(self._digest_failures)
            return None
        self._digest.clear()
        self._digest_first.clear()
        self._digest_failures, self._digest_plain = 0, False
        return Settled("digested", messages)
