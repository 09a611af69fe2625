"""How dead letters are dealt with in portions, and what a command asks before it does."""

from __future__ import annotations

from collections import Counter

import pytest
import typer

from streams.cli.dead_letter_parts import asking
from streams.cli.dead_letter_parts.times import point_in_time, shown_time
from streams.cli.errors import CommandError
from streams.letter_filter import LetterFilter
from streams.runtime.kafka_client import AdminError
from streams.runtime.letter_plan import BATCH_BYTES, BATCH_LETTERS, Plan, Planned, batches, check_named
from streams.runtime.letter_transactions import Outgoing


def planned(number: int, nbytes: int = 100) -> Planned:
    return Planned("purchases", 0, number, 1_000, 0, number, nbytes)


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        ([], []),
        ([100] * (2 * BATCH_LETTERS + 1), [BATCH_LETTERS, BATCH_LETTERS, 1]),
        ([BATCH_BYTES, 1, BATCH_BYTES - 1, 1], [1, 2, 1]),
        ([BATCH_BYTES + 1, BATCH_BYTES + 1], [1, 1]),  # however long, it goes alone
    ],
)
def test_letters_are_dealt_with_in_their_order_so_many_and_so_much_at_a_time(sizes: list[int], lengths: list[int]) -> None:
    letters = [planned(number, size) for number, size in enumerate(sizes)]
    found = list(batches(letters))
    assert [len(batch) for batch in found] == lengths
    assert [letter for batch in found for letter in batch] == letters


def test_an_id_that_is_no_letter_is_told_and_one_that_was_dealt_with_is_known() -> None:
    wanted = LetterFilter(ids=frozenset(("a-0-1", "a-0-2")))
    check_named(wanted, Plan(met={"a-0-1", "a-0-2"}))
    check_named(LetterFilter(), Plan())
    with pytest.raises(AdminError, match="there is no dead letter a-0-2; see"):
        check_named(wanted, Plan(met={"a-0-1"}))


def test_a_record_takes_no_more_in_the_broker_than_is_said() -> None:
    out = Outgoing("t", 0, b"key", b"v" * 1_000, [("näme", b"text")])
    assert out.nbytes == 128 + 3 + 1_000 + 5 + 4 + 10


FOUND = Plan(letters=[planned(1)], by_reason=Counter(empty=1))


def test_without_a_terminal_nothing_is_done_that_was_not_agreed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    asking.confirm(FOUND, "drop", yes=True)
    with pytest.raises(CommandError, match=r"drop 1 dead letters \(1 empty\)\?; add --yes to do it"):
        asking.confirm(FOUND, "drop", yes=False)


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda question, err: answer and err and "1 empty" in question)
    if answer:
        asking.confirm(FOUND, "drop", yes=False)
    else:
        with pytest.raises(typer.Exit):
            asking.confirm(FOUND, "drop", yes=False)


@pytest.mark.parametrize("name", ["", "x" * 101, "a\x1b[31m"])
def test_a_name_is_printable_and_short(name: str) -> None:
    with pytest.raises(CommandError, match="--by"):
        asking.name_of(name)
    assert asking.name_of("Änne (shift 2)") == "Änne (shift 2)"
    assert asking.name_of(None)


def test_nobody_in_particular_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert asking.name_of(None) == "unknown"


@pytest.mark.parametrize("text", ["", "2", "2w", "yesterday", "2026-11-24T10:00:00", "2026-13-01", "-2h"])
def test_what_is_no_point_in_time_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(CommandError, match="--until"):
        point_in_time("--until", text, 0)


def test_points_in_time_may_be_ages_days_and_instants() -> None:
    assert [point_in_time("--since", text, 100_000_000) for text in ("1s", "1m", "1h", "1d")] == [
        99_999_000, 99_940_000, 96_400_000, 13_600_000
    ]  # fmt: skip
    assert point_in_time("--since", "1970-01-02T00:00:00Z", 0) == point_in_time("--since", "1970-01-02", 0) == 86_400_000
    assert shown_time(86_400_000) == "1970-01-02T00:00:00+00:00"
    assert shown_time(10**18) == "unknown"
