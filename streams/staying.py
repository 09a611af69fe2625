"""What counts as staying: purchases, or for an app logins.

By purchases, the record tells the outcome when it is due, and at a cancellation after the horizon, since it has the last
purchase days one by one.

By logins, `left = no login in [d, d + H)`, and of logins the record has the time of the last alone. It is exact all the same:

    at d + H, midnight               the last login is at or after d: stayed       (nothing later has been folded yet)
    at a login that comes late       it is dated in [d, d + H), d + H is over: stayed
    at d + H + lateness              whatever has not been found to have stayed has left
    at a cancellation                left, if it is dated before d + H; else as at d + H + lateness

The last two cannot tell who logged in before the end from who did only after it, and say "left" of both. Of the former it was
found earlier that they stayed, and of one snapshot the first outcome counts. So who stays is known sooner than who leaves, by
the lateness. Of a snapshot that was taken when purchases counted it may not have been found, since nobody looked: then it is
unknown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.columns import DAY_MS
from streams.customer import Records
from streams.outcomes import DAY_S, Ints, Marks, OutcomeRules, open_days


def left(rows: Records, since_day: Ints, rules: OutcomeRules) -> Marks:
    """Whether the customers of the snapshots of `since_day` have left, once the horizon is over; by logins: see above."""
    end_day = since_day + rules.horizon_days
    gone: Marks
    if rules.staying == "logins":
        login_day = rows["last_login_s"].astype(np.int64) // DAY_S
        gone = (login_day < since_day) | (login_day >= end_day)
        return gone
    recent = rows["recent_days"].astype(np.int64)
    latest = np.where(recent < end_day[:, None], recent, 0).max(axis=1)
    gone = latest < since_day
    return gone


def unknown(rows: Records, since_day: Ints, rules: OutcomeRules) -> Marks:
    """Whether `left` says so only because a later login hides what the last was within the horizon, if there was any."""
    if rules.staying != "logins":
        return np.zeros(len(rows), np.bool_)
    hidden: Marks = rows["last_login_s"].astype(np.int64) // DAY_S >= since_day + rules.horizon_days
    return hidden


def stayed(rows: Records, as_of_ms: Ints, phase: Ints, rules: OutcomeRules) -> Marks:
    """Whether a look at `as_of_ms` is at the end of a snapshot's horizon, and finds that the customer stayed, by logins."""
    end = as_of_ms // DAY_MS
    since_day = end - rules.horizon_days
    at_an_end = (as_of_ms == end * DAY_MS) & (end % rules.grid_days == phase) & (since_day > rows["first_day"])
    found: Marks = at_an_end & (rows["purchases"] > 0) & (rows["last_login_s"] >= since_day * DAY_S)
    return found


def stayed_after_all(
    rows: Records, login_ms: Ints, as_of_ms: Ints, phase: Ints, rules: OutcomeRules
) -> tuple[NDArray[np.intp], Ints]:
    """(row, day) of the snapshots whose horizon is over at `as_of_ms`, and of whose customer a login in it comes now."""
    row, day = open_days(rows, as_of_ms, phase, rules)
    login_day, end_day = login_ms[row] // DAY_MS, day + rules.horizon_days
    late = (day <= login_day) & (login_day < end_day) & (end_day * DAY_MS <= as_of_ms[row])
    return row[late], day[late]
