"""How alerts are named and dated.

An episode's id depends on nothing but the customer, the rule and the event time at which it began, so a replay gives
the same ids, and a message that a crash repeats has the id it had before.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated

from msgspec import Meta

_EPOCH = date(1970, 1, 1)

Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC, to the ms")]
AlertId = Annotated[str, Meta(pattern="^[0-9a-f]{24}$", description="one episode: subject, rule and the second it began")]
MessageId = Annotated[str, Meta(pattern="^[0-9a-f]{24}-[0-9]+$", description="alert_id-transition")]


def alert_id(subject: str, rule: str, episode_s: int) -> str:
    """24 hex digits that name an episode: blake2b of rule, start and subject (customer id, or `partition-<n>`).

    episode_s   event time at which the episode began, s since 1970 UTC

    >>> alert_id("c-17", "churn-risk", 1_700_000_000)
    '7ea3730731d7d402193f91f4'
    """
    name = f"{rule}\0{episode_s}\0{subject}"  # the subject may hold anything, so it comes last
    return blake2b(name.encode(), digest_size=12, person=b"churnwatch.alert").hexdigest()


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def rfc3339(time_ms: int) -> str:
    """UTC with milliseconds.

    >>> rfc3339(1_700_000_000_007)
    '2023-11-14T22:13:20.007Z'
    """
    day, ms = divmod(time_ms, 86_400_000)
    s, ms = divmod(ms, 1000)
    return f"{_date(day)}T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}.{ms:03}Z"
