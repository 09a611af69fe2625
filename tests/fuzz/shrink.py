"""An input that fails, made smaller: pieces are left out as long as it still fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any


def shrunk(made: Any, fails: Callable[[Any], bool], end_s: float) -> Any:
    """A smaller one that fails, the smallest that is found before `end_s` of the monotonic clock.

    made   bytes, or a list of tuples of which some parts are bytes

    >>> shrunk(b"some text and x more", lambda data: b"x" in data, time.monotonic() + 60)
    b'x'
    >>> shrunk([(b"k", b"ab"), (b"k", b"xy")], lambda some: any(b"x" in value for _, value in some), time.monotonic() + 60)
    [(b'', b'x')]
    """
    found = True
    while found:
        found = False
        for smaller in _smaller(made):
            if time.monotonic() > end_s:
                return made
            if fails(smaller):
                made, found = smaller, True
                break
    return made


def _smaller(made: Any) -> Iterator[Any]:
    if isinstance(made, bytes):
        size = len(made)
        while size:
            yield from (made[:at] + made[at + size :] for at in range(0, len(made), size))
            size //= 2
        return
    if len(made) > 1:
        yield from (made[:at] + made[at + 1 :] for at in range(len(made)))
    for at, record in enumerate(made):
        for place, part in enumerate(record):
            for smaller in _smaller(part) if isinstance(part, bytes) else ():
                yield [*made[:at], (*record[:place], smaller, *record[place + 1 :]), *made[at + 1 :]]
