"""Points in time as people give them: an age, a day, or an instant with its offset."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from streams.cli.errors import CommandError

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGE = re.compile(r"(\d{1,9})([smhd])")
END_MS = 253_402_300_800_000
"""The year 10000, where datetime ends."""


def point_in_time(option: str, text: str, now_ms: int) -> int:
    """Milliseconds since 1970 UTC.

    option   whose value it is, for the message
    text     an age such as 90s, 30m, 2h or 7d; a day, which begins in UTC; or RFC 3339 with an offset
    Raises CommandError.

    >>> point_in_time("--since", "2h", 7_200_000), point_in_time("--since", "1970-01-02", 0)
    (0, 86400000)
    >>> point_in_time("--since", "1970-01-01T01:00:00+01:00", 0)
    0
    """
    if age := _AGE.fullmatch(text):
        return now_ms - int(age[1]) * _UNITS_MS[age[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and found.tzinfo is None and re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        found = found.replace(tzinfo=UTC)
    if found is None or found.tzinfo is None:
        raise CommandError(
            f"{option}: {text!r} is no point in time",
            "write an age (30m, 2h, 7d), a day (2026-11-24), or 2026-11-24T10:00:00+01:00",
        )
    return round(found.timestamp() * 1000)


def shown_time(time_ms: int) -> str:
    """For people, in UTC.

    >>> shown_time(0), shown_time(-1)
    ('1970-01-01T00:00:00+00:00', 'unknown')
    """
    if not 0 <= time_ms < END_MS:
        return "unknown"
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
