"""A channel's desk: the line, the minute, failures, and from where a successor would read."""

from __future__ import annotations

from alerts.alert import Digest, Message
from alerts.delivery import STUCK, Desk, Outcome, Sending
from alerts.selection import Recent
from alerts.stages.budget import MINUTE_MS
from tests.support.messages import a_message, catch_up, no_data

PAUSE_MS = 100


class Site:
    """A desk on partition 0, its clock, and what the receiver got."""

    def __init__(self, per_minute: int = 100, attempts: int = 2, delivered: Recent | None = None) -> None:
        self.delivered = Recent(100) if delivered is None else delivered
        self.desk = Desk(
            "chat", per_minute=per_minute, attempts=attempts, pause_ms=lambda n: PAUSE_MS * n, delivered=self.delivered
        )
        self.desk.begin(0, 0)
        self.now_ms, self.offset = 0, 0
        self.got: list[Message] = []

    def take(self, *messages: Message) -> list[bool]:
        taken = []
        for message in messages:
            taken.append(self.desk.take(0, self.offset, message))
            self.offset += 1
        return taken

    def send(self, outcome: Outcome = "delivered") -> Sending:
        """One message, with this answer; waits for it."""
        while (sending := self.desk.next(self.now_ms)) is None:
            wake_ms = self.desk.wake_ms()
            assert wake_ms is not None
            assert wake_ms > self.now_ms
            self.now_ms = wake_ms
        if outcome == "delivered":
            self.got.append(sending.message)
        self.desk.answered(sending, outcome, self.now_ms)
        return sending

    def names(self) -> list[str]:
        return [getattr(message, "customer_id", type(message).__name__) for message in self.got]


def test_messages_leave_in_order_and_a_successor_begins_after_them() -> None:
    site = Site()
    site.take(a_message("a"), a_message("b"))
    assert site.desk.positions() == {0: 0}
    site.send()
    assert site.desk.positions() == {0: 1}
    site.send()
    assert site.desk.positions() == {0: 2}
    assert site.names() == ["a", "b"]
    assert site.desk.next(site.now_ms) is None
    assert site.desk.wake_ms() is None


def test_what_is_not_told_is_passed_by() -> None:
    site = Site()
    site.desk.skip(0, 6)
    assert site.desk.positions() == {0: 7}


def test_a_message_that_comes_twice_is_told_once_also_by_a_later_desk() -> None:
    site = Site()
    assert site.take(a_message("a"), a_message("a")) == [True, False]
    site.send()
    later = Site(delivered=site.delivered)
    assert later.take(a_message("a"), a_message("a", "escalated", 2)) == [False, True]


def test_beyond_the_minutes_room_all_is_read_on_and_told_as_one_when_the_minute_ends() -> None:
    site = Site(per_minute=2)
    site.take(*(a_message(f"c{k}") for k in range(5)))
    assert not site.desk.wants_more(site.now_ms)
    site.send(), site.send()
    assert site.desk.wants_more(site.now_ms)
    site.take(a_message("late"))
    assert site.desk.wants_more(site.now_ms)
    assert site.desk.next(MINUTE_MS - 1) is None
    assert site.desk.wake_ms() == MINUTE_MS
    assert site.desk.positions() == {0: 2}, "all that the digest stands for is unsettled until it went"
    assert site.send().stands_for == 4
    assert site.names() == ["c0", "c1", "Digest"]
    assert site.desk.positions() == {0: 6}
    site.take(a_message("next"))
    assert isinstance(site.send().message, type(a_message())), "another minute has room again"


def test_ingestion_alerts_and_digests_are_never_held_back_by_the_budget() -> None:
    site = Site(per_minute=1)
    site.take(a_message("a"), a_message("b"), no_data(), catch_up())
    for _ in range(3):
        site.send()
    assert site.now_ms == 0
    assert site.names() == ["a", "IngestionAlert", "Digest"]


def test_what_the_receiver_shows_is_changed_and_ended_however_full_the_minute_is() -> None:
    site = Site(per_minute=1)
    shown = a_message("a").alert_id
    site.desk._shows = lambda message: getattr(message, "alert_id", "") == shown
    site.take(a_message("a"), a_message("b"), a_message("a", "resolved", 2))
    site.send(), site.send()
    assert (site.now_ms, site.names()) == (0, ["a", "a"])
    digest = site.send().message
    assert isinstance(digest, Digest)
    assert digest.alerts == 1


def test_a_receiver_that_is_down_is_tried_again_with_pauses_and_nobody_is_blamed() -> None:
    site = Site()
    site.take(a_message("a"), a_message("b"))
    for _ in range(20):
        site.send("failed")
    assert site.now_ms == PAUSE_MS * sum(range(1, 20))
    read = 2
    while site.desk.wants_more(site.now_ms):
        site.take(a_message(f"more-{read}"))
        read += 1
        for _ in range(3):
            site.send("failed")
        assert read <= STUCK, "the backlog stays in Kafka"
    while site.desk.wake_ms() is not None:
        site.send()
    assert sorted(site.names()) == sorted(["a", "b", *(f"more-{k}" for k in range(2, read))])
    assert site.desk.positions() == {0: read}


def test_one_that_fails_while_others_pass_joins_the_digest() -> None:
    site = Site(attempts=2)
    site.take(a_message("bad"), a_message("bad", "escalated", 2), a_message("good"))
    tried = []
    for _ in range(20):
        if len(site.got) == 2:
            break
        sending = site.desk.next(site.now_ms)
        if sending is None:
            site.now_ms = site.desk.wake_ms() or 0
            continue
        message = sending.message
        bad = not isinstance(message, Digest) and message.message_id == a_message("bad").message_id
        tried.append("bad" if bad else getattr(message, "customer_id", "digest"))
        if not bad:
            site.got.append(message)
        site.desk.answered(sending, "failed" if bad else "delivered", site.now_ms)
    assert tried == ["bad", "bad", "good", "bad", "bad"], "the second of `bad` waited for the first"
    assert site.desk.positions() == {0: 0}
    digest = site.send().message
    assert isinstance(digest, Digest)
    assert digest.alerts == 1
    assert site.desk.positions() == {0: 3}


def test_one_that_the_receiver_refuses_joins_the_digest_at_once() -> None:
    site = Site()
    site.take(a_message("bad"), a_message("good"), no_data())
    site.send("refused"), site.send(), site.send()
    assert site.names() == ["good", "IngestionAlert"]
    site.send()
    assert isinstance(site.got[-1], Digest)
    assert site.got[-1].alerts == 1
    assert site.now_ms == MINUTE_MS


def test_a_digest_is_tried_for_as_long_as_it_takes_and_counts_what_joins_meanwhile() -> None:
    site = Site(per_minute=1)
    site.take(a_message("a"), a_message("b"))
    site.send(), site.send("failed"), site.send("refused")
    site.take(a_message("c"))
    assert site.send("refused").message.customer_id == "c", "single ones go on"  # type: ignore[union-attr] # an alert has one
    assert site.send().stands_for == 2
    assert site.desk.positions() == {0: 3}


def test_partitions_are_settled_apart() -> None:
    site = Site()
    site.desk.begin(1, 40)
    site.desk.take(1, 41, a_message("other"))
    site.take(a_message("a"))
    assert site.desk.positions() == {0: 0, 1: 41}
    site.send()
    assert site.desk.positions() == {0: 0, 1: 42}
