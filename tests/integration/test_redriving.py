"""Dead letters sent again and given up, on both brokers, without a worker: what is sent, what is marked, what is left alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from streams.dead_letters import DeadReason
from streams.letter_filter import LetterFilter
from streams.letter_marks import LetterState
from streams.runtime.dead_letter_reader import EVERY_LETTER, find_dead_letter, read_dead_letters
from streams.runtime.dropping import drop
from streams.runtime.letter_plan import plan
from streams.runtime.letter_transactions import longest
from streams.runtime.redriving import Outcome, RedriveOptions, Verdict, redrive, try_redrive
from streams.runtime.rereading import say_reread
from tests.support.brokers import RunningBroker
from tests.support.eventually import eventually
from tests.support.letters import Refusals, purchase

BY_ANNA = RedriveOptions("anna")
FORCED = RedriveOptions("anna", force=True)


def again(site: Refusals, wanted: LetterFilter = EVERY_LETTER, options: RedriveOptions = BY_ANNA) -> dict[str, Verdict]:
    """Redrive; what became of each letter."""
    found = redrive(site.settings, plan(site.settings, wanted, states=options.states), options)
    assert len({verdict.id for verdict in found}) == len(found)
    return {verdict.id: verdict for verdict in found}


def states(site: Refusals) -> dict[str, LetterState]:
    page = read_dead_letters(site.settings, states=frozenset(LetterState), limit=1000)
    return {stored.letter.id: stored.state for stored in page.letters}


def copies(site: Refusals, topic: str = "purchases") -> dict[str, list[Any]]:
    """Records that were sent again, by the letter that was refused first."""
    found: dict[str, list[Any]] = {}
    for record in site.records(topic):
        if (first := dict(record.headers).get("churnwatch-redrive")) is not None:
            found.setdefault(first.decode(), []).append(record)
    return found


def test_a_letter_is_sent_again_as_it_was_and_once(broker: RunningBroker, prefix: str) -> None:
    site = Refusals(broker, prefix)
    letters = site.in_euro(*range(1, 151), partition=1, headers=[("trace", b"\x00\xff"), ("empty", b"")])
    tried = try_redrive(site.settings, plan(site.settings, EVERY_LETTER), BY_ANNA)
    assert Counter(verdict.outcome for verdict in tried) == {Outcome.REDRIVEN: 150}
    assert copies(site) == {}, "a dry run sends nothing"
    assert set(states(site).values()) == {LetterState.OPEN}

    verdicts = again(site)
    assert Counter(verdict.outcome for verdict in verdicts.values()) == {Outcome.REDRIVEN: 150}
    assert set(states(site).values()) == {LetterState.REDRIVEN}
    assert read_dead_letters(site.settings).letters == []
    found = copies(site)
    assert found.keys() == {letter.id for letter in letters}
    for number, letter in enumerate(letters, start=1):
        (copy,) = found[letter.id]
        assert (copy.key, copy.value, copy.partition) == (b"anna", purchase(number), 1)
        assert list(copy.headers) == [
            ("trace", b"\x00\xff"), ("empty", b""), ("churnwatch-redrive", letter.id.encode()), ("churnwatch-attempt", b"2")
        ]  # fmt: skip
        assert verdicts[letter.id].sent_to == f"{prefix}purchases-1-{copy.offset}"
        assert copy.timestamp >= letter.record_time_ms, "retention goes by the present"
    sent = [copy.offset for letter in letters for copy in found[letter.id]]
    assert sent == sorted(sent), "in the order of the records"
    assert again(site) == {}
    assert copies(site).keys() == found.keys()
    assert {len(records) for records in copies(site).values()} == {1}
    stored = find_dead_letter(site.settings, letters[0].id)
    assert stored is not None
    assert stored.mark is not None
    assert (stored.mark.by, stored.mark.sent_to) == ("anna", verdicts[letters[0].id].sent_to)


def test_what_would_be_refused_again_is_not_sent_unless_forced_and_then_names_the_first(
    broker: RunningBroker, prefix: str
) -> None:
    site = Refusals(broker, prefix)
    (rouble,) = site.refuse(site.send("purchases", purchase(1, currency="RUB")))
    (rubbish,) = site.refuse(site.send("logins", b"\x1b[31m{"))
    refused = again(site)
    assert {letter_id: (found.outcome, found.reason) for letter_id, found in refused.items()} == {
        rouble.id: (Outcome.REFUSED_AGAIN, DeadReason.UNKNOWN_CURRENCY),
        rubbish.id: (Outcome.REFUSED_AGAIN, DeadReason.NOT_JSON),
    }
    assert set(states(site).values()) == {LetterState.OPEN}
    assert again(site, LetterFilter(reasons=frozenset(("unknown_currency",))), FORCED)[rouble.id].outcome is Outcome.REDRIVEN
    assert states(site) == {rouble.id: LetterState.REDRIVEN, rubbish.id: LetterState.OPEN}
    (copy,) = copies(site)[rouble.id]
    (second,) = site.refuse([copy])
    assert (second.redrive_of, second.attempt, second.headers) == (rouble.id, 2, [])
    again(site, LetterFilter(ids=frozenset((second.id,))), FORCED)
    assert [dict(record.headers)["churnwatch-attempt"] for record in copies(site)[rouble.id]] == [b"2", b"3"]


def test_an_event_that_was_refused_in_two_records_is_sent_with_one(embedded_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(embedded_kafka, prefix)
    first, second, other = site.in_euro(1, 1, 2)
    found = again(site)
    assert [found[letter.id].outcome for letter in (first, second, other)] == [
        Outcome.REDRIVEN, Outcome.REPEATED_EVENT, Outcome.REDRIVEN
    ]  # fmt: skip
    assert first.id in found[second.id].message
    (third,) = site.in_euro(2)
    assert again(site)[third.id].outcome is Outcome.REPEATED_EVENT, "also in a later run"
    assert again(site, LetterFilter(ids=frozenset((third.id,))), FORCED)[third.id].outcome is Outcome.REDRIVEN


def test_of_a_letter_that_was_cut_the_whole_record_is_read_where_it_stands(real_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(real_kafka, prefix)
    stands, gone, other = site.send("purchases", purchase(1), purchase(2), purchase(3), headers=[("long", b"x" * 9_000)])
    letters = site.refuse([stands, gone, other])
    assert all(letter.headers_cut and not letter.headers for letter in letters)
    gone_letter = msgspec.structs.replace(letters[1], offset=40, id=f"{prefix}purchases-0-40")
    anew_letter = msgspec.structs.replace(letters[2], record_time_ms=1)  # of a topic that was made anew since
    site.bury(gone_letter, anew_letter)
    found = redrive(site.settings, plan(site.settings, EVERY_LETTER), BY_ANNA)
    assert Counter((verdict.id, verdict.outcome) for verdict in found) == {
        (letters[0].id, Outcome.REDRIVEN): 1,
        (letters[1].id, Outcome.REDRIVEN): 1,
        (letters[2].id, Outcome.REDRIVEN): 1,
        (gone_letter.id, Outcome.ORIGINAL_GONE): 1,
        (anew_letter.id, Outcome.ORIGINAL_GONE): 1,
    }
    (copy,) = copies(site)[letters[0].id]
    assert (copy.value, copy.headers[0]) == (purchase(1), ("long", b"x" * 9_000))


def test_a_record_that_retention_took_is_told_and_a_too_long_one_costs_the_others_nothing(
    real_kafka: RunningBroker, prefix: str
) -> None:
    site = Refusals(real_kafka, prefix)
    (gone,) = site.in_euro(1, headers=[("long", b"x" * 9_000)])
    fits = site.in_euro(2, 3)
    (too_long,) = site.refuse(site.send("purchases", purchase(4)[:-1] + b',"text":"' + b"x" * 3_000 + b'"}'))
    admin = KafkaAdminClient(bootstrap_servers=real_kafka.bootstrap)
    admin.delete_records({TopicPartition(f"{prefix}purchases", 0): 1})
    limit = {"max.message.bytes": "3000"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{prefix}purchases", configs=limit)])
    admin.close()
    eventually(lambda: longest(site.settings, [f"{prefix}purchases"]) == {f"{prefix}purchases": 3_000})
    assert {letter_id: found.outcome for letter_id, found in again(site).items()} == {
        gone.id: Outcome.ORIGINAL_GONE,
        fits[0].id: Outcome.REDRIVEN,
        fits[1].id: Outcome.REDRIVEN,
        too_long.id: Outcome.TOO_LONG,
    }
    assert {len(records) for records in copies(site).values()} == {1}


def test_what_is_no_event_of_ours_is_left_alone(embedded_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(embedded_kafka, prefix)
    (letter,) = site.in_euro(1)
    foreign = msgspec.structs.replace(letter, id="elsewhere-0-1", topic="elsewhere", offset=1)
    clock = msgspec.structs.replace(letter, id=f"{prefix}churn.clock-0-1", topic=f"{prefix}churn.clock", offset=1)
    beyond = msgspec.structs.replace(letter, id=f"{prefix}purchases-9-1", partition=9, offset=1)
    site.bury(foreign, clock, beyond)
    found = again(site, options=FORCED)
    assert {found[each.id].outcome for each in (foreign, clock, beyond)} == {Outcome.NOT_AN_EVENT}
    assert found[letter.id].outcome is Outcome.REDRIVEN


def test_dropped_letters_are_hidden_and_sent_only_when_that_is_said(embedded_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(embedded_kafka, prefix)
    first, second = site.in_euro(1, 2)
    assert drop(site.settings, plan(site.settings, LetterFilter(ids=frozenset((first.id,)))), "bert") == 1
    assert [stored.letter.id for stored in read_dead_letters(site.settings).letters] == [second.id]
    assert states(site) == {first.id: LetterState.DROPPED, second.id: LetterState.OPEN}
    found = plan(site.settings, EVERY_LETTER)
    assert ([planned.identity.id for planned in found.letters], dict(found.done)) == ([second.id], {"dropped": 1})
    assert again(site).keys() == {second.id}
    undone = RedriveOptions("anna", states=frozenset((LetterState.OPEN, LetterState.DROPPED)))
    assert again(site, options=undone)[first.id].outcome is Outcome.REDRIVEN
    assert set(states(site).values()) == {LetterState.REDRIVEN}


def test_what_another_command_did_meanwhile_is_not_done_again(real_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(real_kafka, prefix)
    site.in_euro(1, 2)
    planned = plan(site.settings, EVERY_LETTER)
    again(site, LetterFilter(ids=frozenset((f"{prefix}purchases-0-0",))))
    found = redrive(site.settings, planned, BY_ANNA)
    assert [verdict.outcome for verdict in found] == [Outcome.DONE_MEANWHILE, Outcome.REDRIVEN]
    assert {len(records) for records in copies(site).values()} == {1}
    assert drop(site.settings, planned, "anna") == 0


def test_letters_of_before_a_rebuild_are_outdated_and_those_of_after_it_are_not(
    embedded_kafka: RunningBroker, prefix: str
) -> None:
    site = Refusals(embedded_kafka, prefix)
    say_reread(site.settings)
    assert site.records("churn.dead-letter-marks") == [], "nothing to say where there are no letters"
    good_now, bad_still = site.in_euro(1, 2)
    say_reread(site.settings)
    assert set(states(site).values()) == {LetterState.OUTDATED}
    assert again(site) == {}
    site.bury(bad_still)
    assert states(site) == {good_now.id: LetterState.OUTDATED, bad_still.id: LetterState.OPEN}
    assert again(site).keys() == {bad_still.id}


def test_the_newest_are_listed_by_what_they_are(embedded_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(embedded_kafka, prefix)
    site.in_euro(1, 2, partition=1)
    site.in_euro(3, customer="bert", partition=2)
    (login,) = site.refuse(site.send("logins", b"[]"))

    def ids(**asked: Any) -> list[str]:
        page = read_dead_letters(site.settings, LetterFilter(**asked))
        return [stored.letter.id.removeprefix(prefix) for stored in page.letters]

    assert ids(topics=frozenset((f"{prefix}logins",))) == ["logins-0-0"]
    assert ids(reasons=frozenset(("not_an_object", "empty"))) == ["logins-0-0"]
    assert ids(partition=2) == ["purchases-2-0"]
    assert ids(customer="bert") == ["purchases-2-0"]
    assert ids(since_ms=login.record_time_ms, topics=frozenset((f"{prefix}logins",))) == ["logins-0-0"]
    assert ids(until_ms=login.record_time_ms, topics=frozenset((f"{prefix}logins",))) == []
    limited = plan(site.settings, EVERY_LETTER, limit=2)
    assert [planned.identity.id.removeprefix(prefix) for planned in limited.letters] == ["logins-0-0", "purchases-1-0"]
    assert limited.by_reason == {"not_an_object": 1, "unknown_currency": 1}


def test_marks_are_json_with_their_letters_id_as_key_in_its_partition(embedded_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(embedded_kafka, prefix)
    (letter,) = site.in_euro(1, partition=2)
    again(site)
    (mark,) = site.records("churn.dead-letter-marks")
    assert (mark.partition, mark.key) == (2, letter.id.encode())
    assert json.loads(mark.value) | {"at_ms": 0, "event": ""} == {
        "type": "mark", "id": letter.id, "record_time_ms": letter.record_time_ms, "original_bytes": letter.original_bytes,
        "action": "redriven", "at_ms": 0, "by": "anna", "first": letter.id, "event": "", "sent_to": f"{prefix}purchases-2-1",
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _no_noise(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "kafka")
