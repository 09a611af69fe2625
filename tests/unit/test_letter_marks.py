"""What was done about dead letters, and what follows for the records themselves."""

from __future__ import annotations

import base64

import msgspec
import pytest

from streams.contract import EventRules
from streams.dead_letters import DeadLetter, DeadReason, dead_letter, encode, headers_in_bytes
from streams.letter_filter import LetterFilter
from streams.letter_marks import Identity, LetterMark, LetterState, Marks, Reread, identity, read_mark
from streams.redriven import Origin, headers_of, origin_of
from streams.rejudge import SentAgain, rejudge
from streams.voids import voids_of
from tests.support.records import APPENDED_MS, VALID, FakeRecord, record

ID = Identity("purchases-3-7", APPENDED_MS)


def mark(action: str = "redriven", **more: object) -> LetterMark:
    fields = {"id": ID.id, "record_time_ms": APPENDED_MS, "original_bytes": 2, "at_ms": 5, "by": "anna", "first": ID.id}
    return msgspec.convert(fields | {"type": "mark", "action": action} | more, LetterMark)


def letter(**changes: object) -> DeadLetter:
    return msgspec.structs.replace(dead_letter(record("purchases", b"{}"), DeadReason.NOT_JSON, "no"), **changes)


# -- how letters stand --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "state"),
    [
        ([], LetterState.OPEN),
        ([mark()], LetterState.REDRIVEN),
        ([mark("dropped")], LetterState.DROPPED),
        ([mark("dropped"), mark()], LetterState.REDRIVEN),
        ([mark(record_time_ms=1)], LetterState.OPEN),  # of a topic that was made anew
        ([mark(id="purchases-3-8")], LetterState.OPEN),
        ([Reread(9, [100, 11])], LetterState.OUTDATED),
        ([Reread(9, [100, 10])], LetterState.OPEN),
        ([Reread(9, [100])], LetterState.OPEN),
        ([mark(), Reread(9, [100, 100])], LetterState.REDRIVEN),  # it counts where it was sent to
        ([Reread(9, [100, 100]), Reread(10, [5, 5])], LetterState.OPEN),
    ],
)
def test_a_letter_at_offset_10_of_partition_1_stands_as_its_marks_say(
    marks: list[LetterMark | Reread], state: LetterState
) -> None:
    assert Marks(marks).state(ID, 1, 10) is state


def test_an_event_is_known_by_the_letter_with_which_it_was_sent() -> None:
    marks = Marks([mark(event="e1")])
    assert marks.sent_with("e1", "purchases-3-9") == ID.id
    assert marks.sent_with("e1", ID.id) is None, "what was sent with it and refused again"
    assert marks.sent_with("e2", "purchases-3-9") is None


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"type":"other"}', b'{"type":"mark","id":1}'])
def test_what_is_no_mark_is_passed_over(value: bytes | None) -> None:
    assert read_mark(value) is None


@pytest.mark.parametrize("written", [mark(event="e", sent_to="purchases-3-9"), mark("dropped"), Reread(1, [2, 3])])
def test_marks_are_read_as_they_were_written(written: LetterMark | Reread) -> None:
    assert read_mark(msgspec.json.encode(written)) == written


# -- what is passed over ------------------------------------------------------------------------------------------------


def test_marked_records_are_passed_over_and_others_at_their_places_are_not() -> None:
    voids = voids_of([mark(), mark("dropped", id="logins-3-1"), Reread(1, [9])])
    redriven, other_time = record("purchases", b"{}"), record("purchases", b"{}", timestamp=APPENDED_MS + 1)
    other_length, next_one = record("purchases", b"{ }"), record("purchases", b"{}", offset=8)
    assert voids.without("purchases", [redriven, next_one]) == [next_one]
    assert voids.without("purchases", [redriven]) == []
    for kept in ([other_time], [other_length], [next_one]):
        assert voids.without("purchases", kept) is kept
    assert voids.without("complaints", same := [redriven]) is same
    assert voids.without("logins", [record("logins", b"{}", offset=1)]) == []


def test_topics_may_have_hyphens_in_their_names() -> None:
    voids = voids_of([mark(id="eu-west.purchases-3-7")])
    assert voids.without("eu-west.purchases", [record("eu-west.purchases", b"{}")]) == []


# -- what a record says of itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [("churnwatch-redrive", b"logins-0-1")],
        [("churnwatch-attempt", b"2")],
        [("churnwatch-redrive", None), ("churnwatch-attempt", None)],
        [("churnwatch-redrive", b"logins-0-1\n"), ("churnwatch-attempt", b"2")],
        [("churnwatch-redrive", b"x" * 300 + b"-0-1"), ("churnwatch-attempt", b"2")],
        [("churnwatch-redrive", b"\xff-0-1"), ("churnwatch-attempt", b"2")],
        [("churnwatch-redrive", b"logins-0-1"), ("churnwatch-attempt", b"0")],
        [("churnwatch-redrive", b"logins-0-1"), ("churnwatch-attempt", b"9" * 5000)],
    ],
)
def test_headers_that_are_not_as_we_write_them_say_nothing(headers: list[tuple[str, bytes | None]]) -> None:
    assert origin_of(headers) == Origin(None, 1)


@pytest.mark.parametrize("origin", [Origin(None, 2), Origin("logins-0-1", 1)])
def test_what_was_not_sent_again_has_no_headers_for_it(origin: Origin) -> None:
    with pytest.raises(ValueError, match="was not sent again"):
        headers_of(origin)


def refused(headers: list[tuple[str, bytes | None]]) -> DeadLetter:
    return dead_letter(FakeRecord("logins", 0, 9, 1, 0, b"c", b"x", tuple(headers)), DeadReason.NOT_JSON, "no")


def test_a_record_that_is_refused_again_names_the_first_and_keeps_the_headers_of_its_source() -> None:
    found = refused([("trace", b"\xff"), ("none", None), *headers_of(Origin("logins-0-1", 3))])
    assert (found.redrive_of, found.attempt) == ("logins-0-1", 3)
    assert found.headers == [("trace", base64.b64encode(b"\xff").decode()), ("none", None)]
    assert headers_in_bytes(found.headers) == [("trace", b"\xff"), ("none", None)]
    assert msgspec.json.decode(encode(found), type=DeadLetter) == found


@pytest.mark.parametrize(("size", "cut"), [(8 * 1024 - 1, False), (8 * 1024, True)])
def test_headers_are_kept_whole_or_not_at_all(size: int, cut: bool) -> None:
    found = refused([("h", b"x" * size)])
    assert (found.headers_cut, len(found.headers)) == (cut, 0 if cut else 1)


def test_headers_go_where_a_message_must_be_shorter_than_they_are() -> None:
    long = refused([("\x00" * 1_000, b"x" * 7_000)])
    found = msgspec.json.decode(encode(long, 8_192), type=DeadLetter)
    assert (found.headers, found.headers_cut, found.original) == ([], True, long.original)


def test_a_letter_of_before_there_were_headers_is_read() -> None:
    fields = msgspec.to_builtins(letter())
    old = {name: fields[name] for name in fields if name not in ("headers", "headers_cut", "redrive_of", "attempt")}
    assert msgspec.convert(old, DeadLetter) == letter()


# -- the filter ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        (LetterFilter(), True),
        (LetterFilter(reasons=frozenset(("not_json", "empty"))), True),
        (LetterFilter(reasons=frozenset(("empty",))), False),
        (LetterFilter(topics=frozenset(("purchases",))), True),
        (LetterFilter(topics=frozenset(("x.purchases",))), False),
        (LetterFilter(partition=3), True),
        (LetterFilter(partition=0), False),
        (LetterFilter(customer="c1"), True),
        (LetterFilter(customer="c"), False),
        (LetterFilter(since_ms=APPENDED_MS), True),
        (LetterFilter(since_ms=APPENDED_MS + 1), False),
        (LetterFilter(until_ms=APPENDED_MS + 1), True),
        (LetterFilter(until_ms=APPENDED_MS), False),
        (LetterFilter(ids=frozenset(("purchases-3-7", "x"))), True),
        (LetterFilter(ids=frozenset(("x",))), False),
        (LetterFilter(partition=3, customer="nobody"), False),
    ],
)
def test_a_letter_is_meant_when_it_fits_all_that_is_given(wanted: LetterFilter, is_wanted: bool) -> None:
    assert wanted.wants(letter()) is is_wanted


def test_nobody_is_meant_by_a_key_that_was_cut_or_is_not_there() -> None:
    assert not LetterFilter(customer="c1").wants(letter(key_cut=True))
    assert not LetterFilter(customer="").wants(letter(key=None))


# -- judged again -------------------------------------------------------------------------------------------------------

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("changes", "now_ms", "reason"),
    [
        ({}, APPENDED_MS, None),
        ({"currency": "EUR"}, APPENDED_MS, DeadReason.UNKNOWN_CURRENCY),
        ({"occurred_at": APPENDED_MS + HOUR_MS}, APPENDED_MS, DeadReason.TOO_FAR_AHEAD),
        ({"occurred_at": APPENDED_MS + HOUR_MS}, APPENDED_MS + HOUR_MS, None),  # its time has come
        ({"customer_id": "c2"}, APPENDED_MS, DeadReason.KEY_MISMATCH),
    ],
)
def test_a_record_is_judged_as_if_the_broker_took_it_now(
    changes: dict[str, object], now_ms: int, reason: DeadReason | None
) -> None:
    value = msgspec.json.encode(VALID["purchases"] | changes)
    judged = rejudge(
        "purchases", SentAgain("purchases", 0, 1, b"c1", value, (), now_ms), EventRules("USD", {"USD": 1.0}, 600_000)
    )
    assert judged.reason == reason
    assert (judged.event is None, judged.message == "") == (reason is not None, reason is None)


def test_copies_of_a_letter_are_one() -> None:
    assert identity(letter()) == ID == identity(letter(message="another"))


@pytest.mark.parametrize("letter_id", ["x", "purchases-3", "purchases-3-x", "", "purchases-3-99999999999999999999"])
def test_a_mark_whose_id_is_none_of_a_letter_takes_nothing_out(letter_id: str) -> None:
    assert voids_of([mark(id=letter_id)]).places == {}


def test_what_is_no_mark_is_none_however_it_is_made() -> None:
    for value in (None, b"", b"\xff", b'{"type":"mark","x":' + b"[" * 5000 + b"]" * 5000 + b"}"):
        assert read_mark(value) is None
