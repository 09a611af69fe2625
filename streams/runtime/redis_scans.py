"""Walks through what Redis holds, a slice at a time, so that no other command waits for all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

SCAN_SLICE = 1000

InRow = Callable[..., Awaitable[list[Any]]]
"""(what it is for, a key of the slot, *commands) -> their answers, from one connection."""


def literal(text: str) -> str:
    """The glob that matches this text alone.

    >>> literal("a*[b]?")
    'a[*][[]b][?]'
    """
    return "".join(f"[{sign}]" if sign in "*?[" else "\\\\" if sign == "\\" else sign for sign in text)


async def scanned(in_row: InRow, command: str, key: str, pattern: str = "*") -> AsyncIterator[list[bytes]]:
    """Slices of a hash (HSCAN) or a sorted set (ZSCAN): field and value, or member and score, by turns. Some may come twice.

    pattern   glob of the fields or members that are wanted: the server leaves out the others
    """
    cursor, only = b"0", () if pattern == "*" else ("MATCH", pattern)
    while True:
        [[cursor, page]] = await in_row("scan", key, (command, key, cursor, *only, "COUNT", SCAN_SLICE))
        yield page
        if int(cursor) == 0:
            return


async def customer_pages(in_row: InRow, record_key: str) -> AsyncIterator[list[str]]:
    """Ids of the customers that have a record, in slices. Some may come twice.

    record_key   what stands before each id
    """
    pattern = literal(record_key) + "*"
    cursor = b"0"
    while True:
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_SLICE, "TYPE", "string")
        [[cursor, keys]] = await in_row("scan", record_key, command)
        yield [key.decode()[len(record_key) :] for key in keys]
        if int(cursor) == 0:
            return
