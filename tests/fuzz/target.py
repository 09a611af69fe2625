"""A reader under fuzz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """make    an input, of chance
    check   raises unless the reader does with it what its docstring promises
    type    of the input, by which a file is read that holds one
    """

    make: Callable[[Random], Any]
    check: Callable[[Any], None]
    type: Any = bytes


def only_raises(call: Callable[[], T], *promised: type[Exception]) -> T | None:
    """What the call returns, None where it raises what it promises."""
    why = ""
    try:
        return call()
    except promised as refusal:
        why = str(refusal)
    assert why, "a refusal says why"
    return None
