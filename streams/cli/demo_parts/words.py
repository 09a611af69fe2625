"""Small texts: days, clues, and what came from outside made fit for a terminal."""

from __future__ import annotations

import numpy as np

from alerts.alert import Alert
from streams.columns import DAY_MS


def day(time_ms: int) -> str:
    """The UTC date of an event time.

    >>> day(0)
    '1970-01-01'
    """
    return str(np.datetime64(time_ms // DAY_MS, "D"))


def cut(text: str, longest: int) -> str:
    """At most `longest` characters of a text.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"


def clues(alert: Alert) -> str:
    """What else was seen of the customer, beyond the purchases that the risk is computed from; "" where nothing was."""
    return "; ".join(reason.text for reason in alert.reasons if reason.contribution is None)


def printable(text: str) -> str:
    """Control characters made visible: what a producer sent must not steer the terminal.

    >>> printable("a\\x1b[1mb")
    'a\\\\x1b[1mb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
