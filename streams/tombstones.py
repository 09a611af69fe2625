"""Who was erased, kept so that nobody can tell who it was: a keyed hash of each, with the time up to which all is erased.

An event of an erased customer that is dated at or before that time is dropped, whenever it comes: late, sent again, or read
again from the beginning. Later ones are a new customer's. Whoever has these hashes and not the key cannot try out ids.
"""

from __future__ import annotations

import hmac
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from streams.columns import TICK, Columns

DIGEST_BYTES = 16
_FINGERPRINT_OF = b"churnwatch erasure key"


def digest(key: bytes, customer: str) -> bytes:
    """The first DIGEST_BYTES of HMAC-SHA256 over the id in UTF-8.

    >>> digest(b"k" * 16, "anna").hex()
    'dffbe60e209c05c07983ecefe262213a'
    """
    return hmac.digest(key, b"customer:" + customer.encode(), "sha256")[:DIGEST_BYTES]


def fingerprint(key: bytes) -> str:
    """16 hex digits by which it is noticed that the key is another one; they tell nothing of it."""
    return hmac.digest(key, _FINGERPRINT_OF, "sha256")[:8].hex()


class Kept(NamedTuple):
    """What is left of a batch, and how many rows were dropped, by topic rank."""

    batch: Columns
    dropped: Mapping[int, int]


class Tombstones:
    """Those of one partition.

    key     of the hashes; None where none is configured, and then there must be no tombstone
    times   digest -> time up to which it is erased, ms since 1970
    """

    def __init__(self, key: bytes | None, times: Mapping[bytes, int]) -> None:
        if times and key is None:
            raise ValueError("tombstones without their key")
        self._key, self._times = key, dict(times)
        self._again: dict[str, int] = {}  # erased ones who have a row again, as far as they were met
        self._oldest_ms = min(self._times.values(), default=None)

    def __len__(self) -> int:
        return len(self._times)

    def digest(self, customer: str) -> bytes:
        """Under which this customer's tombstone stands. Raises ValueError where there is no key."""
        if self._key is None:
            raise ValueError("no key to make a tombstone with")
        return digest(self._key, customer)

    def time_ms(self, customer: str) -> int | None:
        """Up to when this customer is erased, ms since 1970; None for one who is not."""
        return self._times.get(self.digest(customer)) if self._times else None

    def bury(self, times: Mapping[bytes, int]) -> None:
        """These were erased."""
        self._times |= times
        self._oldest_ms = min(self._times.values(), default=None)

    def older_than(self, limit_ms: int) -> list[bytes]:
        """Those whose time lies before `limit_ms`. Quick where there are none."""
        if self._oldest_ms is None or self._oldest_ms >= limit_ms:
            return []
        return [digest for digest, time_ms in self._times.items() if time_ms < limit_ms]

    def forget(self, digests: Iterable[bytes]) -> None:
        """Of these nothing is remembered any more."""
        for each in digests:
            self._times.pop(each, None)
        self._again = {customer: at_ms for customer, at_ms in self._again.items() if self.digest(customer) in self._times}
        self._oldest_ms = min(self._times.values(), default=None)

    def met(self, customers: Sequence[str]) -> None:
        """These get rows in memory: from now on `kept` takes them for known."""
        if self._times:
            self._again |= {customer: at_ms for customer in customers if (at_ms := self.time_ms(customer)) is not None}

    def kept(self, batch: Columns, known: Container[str]) -> Kept:
        """The batch without what is erased.

        known   customers with a row in memory, each of whom was in an earlier batch or in `met`: hashing costs a
                microsecond, and so only those are hashed who are new here
        """
        if not self._times or not len(batch):
            return Kept(batch, {})
        ids = batch.customer.tolist()
        fresh = [customer for customer in set(ids) if customer not in known]
        self.met([customer for customer in fresh if customer])  # a tick's customer is ""
        if self._again.keys().isdisjoint(ids):
            return Kept(batch, {})
        erased_ms = np.fromiter((self._again.get(customer, -1) for customer in ids), np.int64, len(ids))
        gone = (batch.time_ms <= erased_ms) & (batch.kind != TICK)
        if not gone.any():
            return Kept(batch, {})
        ranks, counts = np.unique(batch.rank[gone], return_counts=True)
        return Kept(batch.take(~gone), dict(zip(ranks.tolist(), counts.tolist(), strict=True)))
