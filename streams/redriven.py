"""What a record carries that was a dead letter once and was sent again: which letter, and the how-manieth attempt it is.

Two headers say so, so that a loop of refusals is seen: a record that is refused again becomes a letter that names the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

ORIGIN_HEADER = "churnwatch-redrive"
"""Id of the first letter, topic-partition-offset."""
ATTEMPT_HEADER = "churnwatch-attempt"
"""2 when it is sent again for the first time, 3 after that, …"""
OUR_HEADERS = frozenset((ORIGIN_HEADER, ATTEMPT_HEADER))

Headers = Iterable[tuple[str, bytes | None]]
_LETTER_ID = re.compile(rb"[A-Za-z0-9._-]{1,249}-\d{1,10}-\d{1,19}")
_ATTEMPT = re.compile(rb"[1-9]\d{0,5}")


class Origin(NamedTuple):
    """Where a record comes from.

    first     id of the letter that was refused first; None for a record that a source sent
    attempt   how often it was sent with this one, >= 1
    """

    first: str | None = None
    attempt: int = 1


def origin_of(headers: Headers) -> Origin:
    """What the headers say. Anybody can write them: what is not as we write it is as if it were not there.

    >>> origin_of([("trace", b"7")])
    Origin(first=None, attempt=1)
    >>> origin_of([("churnwatch-redrive", b"logins-0-17"), ("churnwatch-attempt", b"3")])
    Origin(first='logins-0-17', attempt=3)
    >>> origin_of([("churnwatch-redrive", b"x"), ("churnwatch-attempt", b"3")])
    Origin(first=None, attempt=1)
    """
    ours = {name: value for name, value in headers if name in OUR_HEADERS}
    first, attempt = ours.get(ORIGIN_HEADER) or b"", ours.get(ATTEMPT_HEADER) or b""
    if not (_LETTER_ID.fullmatch(first) and _ATTEMPT.fullmatch(attempt)):
        return Origin()
    return Origin(first.decode(), int(attempt))


def headers_of(origin: Origin) -> list[tuple[str, bytes]]:
    """The headers of a record that is sent again. Raises ValueError for an origin that is none.

    >>> origin_of(headers_of(Origin("logins-0-17", 2)))
    Origin(first='logins-0-17', attempt=2)
    """
    if origin.first is None or origin.attempt < 2:
        raise ValueError(f"{origin} was not sent again")
    return [(ORIGIN_HEADER, origin.first.encode()), (ATTEMPT_HEADER, b"%d" % origin.attempt)]
