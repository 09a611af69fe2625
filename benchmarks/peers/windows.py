"""Rolling windows of 7, 30, 90 and 365 days as rings of eight buckets, and complaints one by one.

A bucket is an eighth of its window, aligned to the epoch; a ring holds the eight newest of a customer. A late event goes into its
own bucket while the ring has it, so the order of events changes nothing.
"""

from __future__ import annotations

BUCKETS = 8
WINDOW_DAYS = (7, 30, 90, 365)
COUNTED = ("purchases", "spent", "logins")
COMPLAINTS_KEPT = 16
HALF_DAY_S = 43_200

Windows = dict[str, list[int]]

_WIDTHS_S = {days: days * 86_400 // BUCKETS for days in WINDOW_DAYS}
_NAMES = {days: [f"{what}_{days}d" for what in COUNTED] for days in WINDOW_DAYS}
_RINGS = {what: [(f"{what}_{days}d", width_s) for days, width_s in _WIDTHS_S.items()] for what in COUNTED}


def new_windows() -> Windows:
    """Empty rings, `purchases_7d` to `logins_365d`."""
    return {name: [0] * BUCKETS for names in _NAMES.values() for name in names}


def roll(windows: Windows, before_s: int, newest_s: int) -> None:
    """Empty the buckets that time has passed since `before_s`, the newest event time until now."""
    for days, width_s in _WIDTHS_S.items():
        bucket, newest = before_s // width_s, newest_s // width_s
        if bucket == newest:
            continue
        passed = [number % BUCKETS for number in range(max(bucket, newest - BUCKETS) + 1, newest + 1)]
        for name in _NAMES[days]:
            ring = windows[name]
            for slot in passed:
                ring[slot] = 0


def add(windows: Windows, what: str, amount: int, time_s: int, newest_s: int) -> None:
    """Add an amount of one of COUNTED to its four windows, all rolled to `newest_s`."""
    for name, width_s in _RINGS[what]:
        bucket = time_s // width_s
        if newest_s // width_s - bucket < BUCKETS:
            windows[name][bucket % BUCKETS] += amount


def sums(windows: Windows) -> dict[str, int]:
    """The sum of each window as at the time that it is rolled to."""
    return {name: sum(ring) for name, ring in windows.items()}


def remember(complaints: list[list[int]], time_s: int, severity: int) -> None:
    """Put (half-day number, severity) in front of the last complaints."""
    complaints.insert(0, [time_s // HALF_DAY_S, severity])
    del complaints[COMPLAINTS_KEPT:]


def complaint_sums(complaints: list[list[int]], newest_s: int) -> dict[str, int]:
    """Complaints and their severities in each window that ends at `newest_s`, to the half day.

    >>> complaint_sums([[100, 3], [40, 5]], 100 * HALF_DAY_S)["severity_30d"]
    3
    """
    found = {}
    for days in WINDOW_DAYS:
        inside = [severity for half_day, severity in complaints if newest_s // HALF_DAY_S - half_day < 2 * days]
        found[f"complaints_{days}d"], found[f"severity_{days}d"] = len(inside), sum(inside)
    return found
