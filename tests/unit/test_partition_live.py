"""One live partition at work on a store in memory: what moves its watermark, what waits, what a commit may pass over."""

from __future__ import annotations

import json

import pytest

from alerts.alert import IngestionAlert
from streams.columns import TOPIC_RANKS
from streams.runtime import taking
from tests.support.intake_app import until
from tests.support.played import HEARTBEAT, NOW_MS, SILENT_FOR_MONTHS, Played


async def test_the_watermark_moves_to_the_time_of_the_question_once_all_below_its_answer_is_folded() -> None:
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: played.done() == 5, "six purchases folded")
        await until(played.commits(3), "three commits without an answer of the broker")
        assert played.watermark_ms() == SILENT_FOR_MONTHS[-1]
        played.probed(NOW_MS - 5_000, purchases=8)
        await until(played.commits(3), "three commits with two purchases missing")
        assert played.watermark_ms() == SILENT_FOR_MONTHS[-1]
        assert played.fired() == []
        played.buys(6, NOW_MS - 90_000, customer="other")
        await until(played.commits(3), "three commits with one missing")
        assert played.watermark_ms() == NOW_MS - 90_000
        played.buys(7, NOW_MS - 80_000, customer="other")
        await until(lambda: played.watermark_ms() == NOW_MS - 5_000, "the time of the question")


async def test_while_more_is_coming_than_is_here_it_is_waited_for_so_that_a_backlog_is_folded_in_large_commits() -> None:
    async with Played().running() as played:
        played.ends[TOPIC_RANKS["purchases"]] = 12
        played.buys(0, *SILENT_FOR_MONTHS[:3])
        await until(played.commits(3), "three commits while nine are to come")
        assert played.done() == -1
        assert played.task.merge.buffered_rows == 3
        played.buys(3, *SILENT_FOR_MONTHS[3:])
        await until(lambda: played.done() == 5, "all that is here, as much as is to come")


async def test_rows_of_a_backlog_do_not_wait_for_ever_for_more_to_come_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "BACKLOG_PATIENCE_S", 0.1)  # less than the default that the test above relies on
    async with Played().running() as played:
        played.ends[TOPIC_RANKS["purchases"]] = 12
        played.buys(0, *SILENT_FOR_MONTHS[:3])
        await until(lambda: played.done() == 2, "three purchases folded, though nine that are there do not come")


async def test_rows_that_have_waited_long_enough_do_not_wait_again_when_the_topic_they_were_short_of_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(taking, "BACKLOG_PATIENCE_S", 3600.0)
    async with Played().running() as played:
        played.ends |= {TOPIC_RANKS["purchases"]: 20, TOPIC_RANKS["complaints"]: 20}
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(played.commits(2), "commits while they wait for more")
        played.task._taking._first_waits_s -= 3600.0  # an hour passes
        await until(played.commits(2), "commits while complaints are still waited for")
        assert played.done() == -1
        value = {"event_id": "c", "customer_id": "anna", "occurred_at": SILENT_FOR_MONTHS[0]}
        played.positions[TOPIC_RANKS["complaints"]] = 1
        played.receives("complaints", 0, json.dumps(value).encode())
        await until(lambda: played.done("complaints") == 0, "what is here, though more is to come")


async def test_it_stays_there_until_the_broker_answers_another_question() -> None:
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.probed(NOW_MS - 5_000, purchases=6)
        await until(lambda: played.watermark_ms() == NOW_MS - 5_000, "the time of the question")
        await until(lambda: played.fired() == ["anna"] * len(played.fired()) and bool(played.fired()), "an alert by the clock")
        played.now_ms += 4_000
        await until(played.commits(5), "commits with an answer of long ago")
        assert played.watermark_ms() == NOW_MS - 5_000


async def test_what_lies_between_the_last_record_and_the_position_is_no_lag() -> None:
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.ends[TOPIC_RANKS["purchases"]] = 9
        played.probed(NOW_MS, purchases=9)
        await until(played.commits(3), "commits while three offsets are not reached")
        assert played.watermark_ms() < NOW_MS
        played.positions[TOPIC_RANKS["purchases"]] = None  # a chunk is on its way
        await until(played.commits(3), "commits while a chunk is on its way")
        assert played.watermark_ms() < NOW_MS
        played.positions[TOPIC_RANKS["purchases"]] = 9
        await until(lambda: played.watermark_ms() == NOW_MS, "the time of the question")


async def test_events_of_others_prove_no_silence_while_heartbeats_are_missing() -> None:
    """Neither at the moment at which more is on its way, so that the clock merely waits."""
    async with Played(CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S="60").running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.probed(NOW_MS, purchases=6)
        await until(lambda: played.told() == [("firing", "heartbeat_missing")], "the ingestion alert")
        for number in range(5):
            played.probed(NOW_MS + number, purchases=6 + 2 * number + 2)  # one more is on its way
            played.buys(6 + 2 * number, NOW_MS - 60_000 + 2_000 * number, customer="other")
            await until(lambda n=number: played.done() == 6 + 2 * n, "the other's purchase folded")
            played.buys(7 + 2 * number, NOW_MS - 59_000 + 2_000 * number, customer="other")
            await until(lambda n=number: played.done() == 7 + 2 * n, "the other's purchase folded")
        assert played.watermark_ms() > NOW_MS - 60_000, "event time has moved by months"
        assert "anna" not in played.fired()
        assert played.told() == [("firing", "heartbeat_missing")]
        played.receives("clock", 0, HEARTBEAT, key=b"3")
        played.probed(NOW_MS, purchases=16)
        await until(lambda: "anna" in played.fired(), "the alert that was held")
        assert played.told() == [("firing", "heartbeat_missing"), ("resolved", "caught_up")]
        told = [alert for alert in played.sender.alerts if isinstance(alert, IngestionAlert)]
        assert told[0].alert_id == told[1].alert_id


async def test_a_commit_passes_over_no_dead_letter_that_is_not_safe() -> None:
    async with Played().running() as played:
        played.receives("logins", 0, b"rubbish")
        played.buys(0, NOW_MS)
        await until(lambda: played.shop.metrics.fold_seconds._sum.get() > 0, "a commit that waits for the first letter")
        played.receives("logins", 1, b"more rubbish")  # comes while the commit is under way
        assert played.done("logins") == -1
        played.sender.let_go[0].set()
        await until(lambda: played.done("logins") >= 0, "the first commit")
        assert played.sender.letters == [0]
        assert played.done("logins") == 0, "the second letter has not left"
        assert played.task.burying_bytes > 0
        played.sender.let_go[1].set()
        await until(lambda: played.done("logins") == 1, "the second commit")
        assert played.task.burying_bytes == 0


async def test_the_next_owner_holds_on_and_ends_what_the_former_told() -> None:
    played = Played(CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S="60")
    async with played.running():
        played.buys(0, *SILENT_FOR_MONTHS)
        played.probed(NOW_MS, purchases=6)
        await until(lambda: len(played.told()) == 1, "the ingestion alert")
    async with played.running():
        played.probed(NOW_MS, purchases=6)
        await until(played.commits(5), "five commits of the next owner")
        assert len(played.told()) == 1
        assert played.fired() == []
        played.receives("clock", 0, HEARTBEAT, key=b"3")
        await until(lambda: len(played.told()) == 2, "its end")
    async with played.running():
        played.probed(NOW_MS + 1_000, purchases=6)
        await until(lambda: played.watermark_ms() == NOW_MS + 1_000, "an owner who knows the last heartbeat")
        assert len(played.told()) == 2


async def test_the_end_of_a_hold_is_told_before_what_was_held_also_when_that_takes_several_commits() -> None:
    async with Played(CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S="60", CHURNWATCH_ENGINE__MAX_ROWS="1").running() as played:
        for number, customer in enumerate(("anna", "berta", "carla")):
            played.buys(6 * number, *SILENT_FOR_MONTHS, customer=customer)
        played.probed(NOW_MS, purchases=18)
        await until(lambda: played.told() == [("firing", "heartbeat_missing")], "the ingestion alert")
        before = len(played.sender.alerts)
        played.receives("clock", 0, HEARTBEAT, key=b"3")
        await until(lambda: set(played.fired()) == {"anna", "berta", "carla"}, "the alerts that were held")
        assert isinstance(played.sender.alerts[before], IngestionAlert)
