"""What a check found, and what to do about it. `topics check` and `doctor` speak in these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Status = Literal["ok", "unknown", "warning", "error"]
"""unknown: it could not be checked, which is neither good nor bad."""


class Finding(NamedTuple):
    """One thing that was looked at.

    subject   what was checked, e.g. a topic's name
    status    see Status
    what      the state found, in words, with values
    fix       what to do; empty when there is nothing to do
    """

    subject: str
    status: Status
    what: str
    fix: str = ""


def has_error(findings: Iterable[Finding]) -> bool:
    """Is anything among them wrong, rather than odd or unknown?"""
    return any(found.status == "error" for found in findings)
