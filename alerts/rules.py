"""The numbers that the policy decides by, checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors import actions

TIER_NAMES = actions.TIERS
TIERS = TIER_NAMES[1:]
WHOLE_BP = 10_000
MAX_S = 2**32 - 1


@dataclass(frozen=True)
class PolicyRules:
    """When alerts start, change and end.

    fire_bp            risk at which watch, high and critical fire, 1e-4, 1..10000, ascending
    release_bp         risk below which they end, 1e-4, 1..9999, ascending, each below its fire line
    breaches           consecutive breaches that make an alert, 1..255
    breach_spacing_s   s between breaches that count, >= 0
    cool_down_s        s from the end of an episode in which no new one begins, >= 0
    min_purchases      purchase occasions below which nobody is alerted, >= 0

    Raises ValueError that lists every field out of range, its value and what it may be.
    """

    fire_bp: tuple[int, int, int]
    release_bp: tuple[int, int, int]
    breaches: int
    breach_spacing_s: int
    cool_down_s: int
    min_purchases: int

    def __post_init__(self) -> None:
        problems = [*self._line_problems(), *self._count_problems()]
        if problems:
            raise ValueError("\n".join(problems))

    @classmethod
    def from_settings(
        cls,
        *,
        watch: float,
        high: float,
        critical: float,
        release_margin: float,
        breaches: int,
        breach_spacing_s: int,
        cool_down_s: int,
        min_purchases: int,
    ) -> PolicyRules:
        """The rules as the section `policy` of the settings gives them: risks and margin as shares, 0..1.

        >>> rules = PolicyRules.from_settings(watch=0.5, high=0.7, critical=0.85, release_margin=0.08, breaches=2,
        ...                                   breach_spacing_s=21600, cool_down_s=604800, min_purchases=2)
        >>> rules.fire_bp, rules.release_bp
        ((5000, 7000, 8500), (4200, 6200, 7700))
        """
        shares = {"watch": watch, "high": high, "critical": critical, "release_margin": release_margin}
        wrong = [f"policy.{name} is {value}: must be from 0 to 1" for name, value in shares.items() if not 0 <= value <= 1]
        if wrong:
            raise ValueError("\n".join(wrong))
        margin_bp = round(release_margin * WHOLE_BP)
        w, h, c = (round(share * WHOLE_BP) for share in (watch, high, critical))
        return cls(
            (w, h, c), (w - margin_bp, h - margin_bp, c - margin_bp), breaches, breach_spacing_s, cool_down_s, min_purchases
        )

    @cached_property
    def fire_column(self) -> NDArray[np.uint16]:
        """fire_bp as the column that the stages search in."""
        return np.array(self.fire_bp, np.uint16)

    @cached_property
    def release_column(self) -> NDArray[np.uint16]:
        """release_bp as the column that the stages search in."""
        return np.array(self.release_bp, np.uint16)

    def _line_problems(self) -> Iterator[str]:
        for field, line in (("fire_bp", self.fire_bp), ("release_bp", self.release_bp)):
            if len(line) != len(TIERS):
                yield f"policy.{field} is {line}: give one value each for {', '.join(TIERS)}"
            elif not line[0] < line[1] < line[2]:
                yield f"policy.{field} is {line}: must ascend; set policy.watch < policy.high < policy.critical"
        for tier, fire, release in zip(TIERS, self.fire_bp, self.release_bp, strict=False):
            if not 1 <= fire <= WHOLE_BP:
                yield f"policy.{tier} fires at {fire} of {WHOLE_BP}: must be from 1 to {WHOLE_BP}"
            if not release < fire:
                yield f"policy.{tier} releases at {release}, not below {fire} where it fires: set policy.release_margin above 0"
            if release < 1:
                yield f"policy.{tier} releases at {release}, so it would never end: set policy.release_margin below policy.{tier}"

    def _count_problems(self) -> Iterator[str]:
        limits = {
            "breaches": (self.breaches, 1, 255),
            "breach_spacing_s": (self.breach_spacing_s, 0, MAX_S),
            "cool_down_s": (self.cool_down_s, 0, MAX_S),
            "min_purchases": (self.min_purchases, 0, MAX_S),
        }
        for field, (value, low, high) in limits.items():
            if not low <= value <= high:
                yield f"policy.{field} is {value}: must be from {low} to {high}"
