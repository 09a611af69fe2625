"""When customers are scored in a backtest, and which times it must not step over."""

from __future__ import annotations

from dataclasses import dataclass

from streams.columns import DAY_MS


@dataclass(frozen=True, slots=True)
class CutOffRules:
    """horizon_days   truth is "no purchase in (c, c + horizon]"
    window_days    scored is who bought in (c - window, c]
    every_days     days between cut-offs
    min_events     on so many occasions at least (purchases at one instant are one)

    Days are of 24 hours. All are 1 or more. Raises ValueError where they are not.
    """

    horizon_days: int
    window_days: int
    every_days: int
    min_events: int

    def __post_init__(self) -> None:
        for name in ("horizon_days", "window_days", "every_days", "min_events"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be 1 or more")


def cut_offs(first_ms: int, last_ms: int, rules: CutOffRules) -> list[int]:
    """Times of the cut-offs: from the first at which the window fits in the log to the last at which the horizon does.

    first_ms, last_ms   of the first and the last event

    >>> [at_ms // DAY_MS for at_ms in cut_offs(0, 300 * DAY_MS, CutOffRules(90, 180, 30, 2))]
    [180, 210]
    """
    first = first_ms + rules.window_days * DAY_MS
    last = last_ms - rules.horizon_days * DAY_MS
    return list(range(first, last + 1, rules.every_days * DAY_MS))
