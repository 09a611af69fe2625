"""Dead letters for people and for programs. Nothing that a record holds is read as markup, or reaches the terminal raw."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.dead_letter_parts.times import shown_time
from streams.cli.dead_letter_parts.words import one_line, printable, printable_bytes
from streams.dead_letters import DeadLetter, headers_in_bytes
from streams.letter_marks import LetterMark
from streams.runtime.dead_letter_reader import StoredLetter


def as_json(stored: StoredLetter) -> dict[str, Any]:
    """The letter's own fields, and beside them `state` and `mark`."""
    letter: dict[str, Any] = msgspec.to_builtins(stored.letter)
    mark = None if stored.mark is None else msgspec.to_builtins(stored.mark)
    return letter | {"state": stored.state.value, "mark": mark}


def show_table(letters: Sequence[StoredLetter], *, states: bool) -> None:
    """A line for each; `states`: also how it stands."""
    table = Table("id", "record time", "reason", *(("state",) if states else ()), "attempt", "message")
    for stored in letters:
        letter = stored.letter
        cells = [letter.id, shown_time(letter.record_time_ms), letter.reason.value, *((stored.state.value,) if states else ())]
        # Text, not str: what a producer sent must not be read as markup
        table.add_row(*(Text(cell) for cell in (*cells, str(letter.attempt), printable(letter.message))))
    Console().print(table)


def show_whole(stored: StoredLetter) -> None:
    """All of one letter: what is known about it, and its bytes in printable form."""
    for name, value in _lines(stored):
        typer.echo(f"{name:<12} {value}")
    typer.echo(printable_bytes(base64.b64decode(stored.letter.original)))


def _lines(stored: StoredLetter) -> Iterator[tuple[str, str]]:
    letter = stored.letter
    yield "id", printable(letter.id, kept="")
    yield "state", _state(stored)
    if letter.redrive_of is not None:
        yield "attempt", f"{letter.attempt}; the first was refused as {printable(letter.redrive_of, kept='')}"
    yield "reason", letter.reason.value
    yield "message", printable(letter.message, kept="")
    yield "position", f"topic {printable(letter.topic, kept='')}, partition {letter.partition}, offset {letter.offset}"
    yield "record time", shown_time(letter.record_time_ms)
    yield "key", one_line(letter.kafka_key()) + (" (cut)" if letter.key_cut else "")
    yield from _headers(letter)
    kept = len(base64.b64decode(letter.original))
    yield "original", f"{letter.original_bytes} bytes" + (f", the first {kept} follow" if letter.cut else "")


def _headers(letter: DeadLetter) -> Iterator[tuple[str, str]]:
    if letter.headers_cut:
        yield "headers", "too long to be kept; they stand in the topic"
    for name, value in headers_in_bytes(letter.headers):
        yield "header", f"{printable(name, kept='')}: {one_line(value)}"


def _state(stored: StoredLetter) -> str:
    if stored.mark is None:
        return stored.state.value + (": `churnwatch rebuild` has had its record read again" if stored.state == "outdated" else "")
    return f"{stored.state.value} {told(stored.mark)}"


def told(mark: LetterMark) -> str:
    """When, by whom, and where the record stands now."""
    stands = f"; it stands at {printable(mark.sent_to, kept='')}" if mark.sent_to else ""
    return f"at {shown_time(mark.at_ms)} by {printable(mark.by, kept='')}{stands}"
