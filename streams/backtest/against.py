"""The alerts that a system sent about a history against those of the backtest of its file: byte by byte, customer by customer.

What a crash made the system send again is left out; the order in which different customers' messages left proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.backtest.sent import Sent, SentMessages

SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Difference:
    """A customer's first message that is not the same.

    customer   id
    number     of the message among the customer's, from 1
    expected   by the backtest; None: it has no more
    found      on the topic; None: there is no more
    """

    customer: str
    number: int
    expected: bytes | None
    found: bytes | None

    def __str__(self) -> str:
        here = f"customer {self.customer}, message {self.number}"
        if self.found is None:
            return f"{here}: only by the backtest: {_head(self.expected)}"
        if self.expected is None:
            return f"{here}: only on the topic: {_head(self.found)}"
        fields = [f"{name} is {_shown(there)} on the topic, {_shown(by)} by the backtest" for name, there, by in self._fields()]
        return f"{here}: {'; '.join(fields) or 'the same content in other bytes'}"

    def _fields(self) -> Iterator[tuple[str, Any, Any]]:
        """Fields that differ."""
        found, expected = (_object(message) for message in (self.found, self.expected))
        for name in {**expected, **found}:
            if (there := found.get(name)) != (by := expected.get(name)):
                yield name, there, by


@dataclass(frozen=True, slots=True)
class Comparison:
    """expected, found   messages of the backtest, and on the topic
    customers         about whom there are any
    differ            customers whose messages are not the same
    first             the first differences, at most so many as were asked for
    """

    expected: int
    found: int
    customers: int
    differ: int
    first: list[Difference]


def compared(expected: SentMessages, found: SentMessages, ids: NDArray[np.object_], most: int = 5) -> Comparison:
    """Compare what the backtest says with what was sent.

    ids    of the customers, by number
    most   differences to show, >= 0: of the customers who came first
    """
    ours, theirs = expected.by_customer(), found.by_customer()
    whose, places, sides = _paired(ours, theirs)
    both = np.flatnonzero((sides >= 0).all(axis=1))
    same = np.zeros(len(sides), bool)
    same[both] = ours["digest"][sides[both, 0]] == theirs["digest"][sides[both, 1]]
    wrong = np.flatnonzero(~same)
    _, firsts = np.unique(whose[wrong], return_index=True)  # pairs ascend by customer and place
    shown = [
        Difference(
            customer=str(ids[whose[at]]),
            number=int(places[at]) + 1,
            expected=expected.bytes_of(ours[sides[at, 0]]) if sides[at, 0] >= 0 else None,
            found=found.bytes_of(theirs[sides[at, 1]]) if sides[at, 1] >= 0 else None,
        )
        for at in wrong[firsts[:most]].tolist()
    ]
    return Comparison(len(ours), len(theirs), len(np.unique(whose)), len(firsts), shown)


def _paired(ours: Sent, theirs: Sent) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(customer, place, (row of ours, row of theirs)): each customer's k-th messages of both sides; -1 where one has none."""
    customer = np.concatenate([ours["customer"], theirs["customer"]])
    place = np.concatenate([_ranks(ours["customer"]), _ranks(theirs["customer"])])
    key = customer.astype(np.int64) << 32 | place
    keys, pair = np.unique(key, return_inverse=True)
    sides = np.full((len(keys), 2), -1, np.int64)
    sides[pair[: len(ours)], 0] = np.arange(len(ours))
    sides[pair[len(ours) :], 1] = np.arange(len(theirs))
    return keys >> 32, keys & 0xFFFF_FFFF, sides


def _ranks(customer: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Place of each entry among its customer's; customers ascend."""
    return np.arange(len(customer)) - np.searchsorted(customer, customer, side="left")


def _object(message: bytes | None) -> dict[str, Any]:
    content = msgspec.json.decode(message or b"{}")
    return content if isinstance(content, dict) else {"": content}


def _head(message: bytes | None) -> str:
    content = _object(message)
    return ", ".join(f"{name} {_shown(content[name])}" for name in ("as_of", "decision", "tier", "risk") if name in content)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
