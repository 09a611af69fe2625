"""One target for so many seconds, and what it failed on."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import file_targets, kafka_targets
from tests.fuzz.shrink import shrunk
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {**kafka_targets.TARGETS, **file_targets.TARGETS}
FOUND = Path(__file__).parent / "found"
ROUND = 200
"""Inputs of one seed; rounds follow each other until the time is up."""
SHRINK_S = 2.0
"""So long an input that failed is made smaller."""


class Found(msgspec.Struct):
    """An input on which a target failed, shrunk. `seed` led to it; `problem` is what was raised."""

    target: str
    seed: int
    problem: str
    input: msgspec.Raw

    @property
    def name(self) -> str:
        return f"{self.target}-{hashlib.sha1(bytes(self.input), usedforsecurity=False).hexdigest()[:10]}.json"


def fuzz(name: str, first_seed: int, seconds: float) -> tuple[int, Found | None]:
    """How many inputs were tried, and the one that failed, if any did, shrunk for a while."""
    tried, number, end_s = 0, first_seed, time.monotonic() + seconds
    while time.monotonic() < end_s:
        attempts = _Attempts(TARGETS[name], end_s)
        problem = attempts.run(number)
        tried += attempts.tried
        if problem is not None:
            what = f"{type(problem).__name__}: {problem}".splitlines()[0][:300]
            return tried, Found(name, number, what, msgspec.Raw(attempts.failed or b"null"))
        number += 1
    return tried, None


def again(found: Found) -> None:
    """Try a found input once more; raises if it still fails."""
    target = TARGETS[found.target]
    target.check(msgspec.json.decode(found.input, type=target.type))


class _Attempts:
    """The inputs of one seed.

    end_s    after this, of the monotonic clock, nothing more is tried
    failed   the first on which the target failed, made smaller, as JSON; None: it failed on none
    """

    def __init__(self, target: Target, end_s: float) -> None:
        self._target, self._end_s = target, end_s
        self.tried = 0
        self.failed: bytes | None = None

    def run(self, number: int) -> Exception | None:
        """What the target raised, if it did on any."""

        @seed(number)
        @settings(
            max_examples=ROUND, deadline=None, database=None, phases=[Phase.generate], verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False,
        )  # fmt: skip
        @given(st.randoms(use_true_random=False))
        def one(random: Random) -> None:
            self._try(self._target.make(random))

        with contextlib.suppress(_Enough):
            one()
        return self._problem(msgspec.json.decode(self.failed, type=self._target.type)) if self.failed else None

    def _try(self, made: Any) -> None:
        self.tried += 1
        if self._problem(made) is not None:
            smaller = shrunk(made, lambda some: self._problem(some) is not None, time.monotonic() + SHRINK_S)
            self.failed = msgspec.json.encode(smaller)
            raise _Enough
        if time.monotonic() > self._end_s:
            raise _Enough

    def _problem(self, made: Any) -> Exception | None:
        try:
            self._target.check(made)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it was not promised
            return problem
        return None


class _Enough(BaseException):
    """Hypothesis takes this for no failure, and lets it through."""
