"""Erasures of one partition: from orders to what one commit takes away, and what is dropped from then on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, replace

import msgspec

from streams.columns import DAY_MS, Columns
from streams.commands import Erase
from streams.erasure import ErasureNotice, Removed, notice, what_remains, without
from streams.runtime.shop import Shop
from streams.runtime.store import Removal
from streams.runtime.topics import ALERTS, EVENTS, TRIGGERS
from streams.step import Step
from streams.table import CustomerTable
from streams.tombstones import Tombstones, fingerprint

PAGE = 500
_NOTHING = Removed(record=False, triggers=0, messages=0)


class ErasureKeyError(Exception):
    """erasure.key is missing, or is not the one that erasures were recorded with. Says what to do."""


class _About(msgspec.Struct):
    """Whom a message that waits is about: an alert names customer_id, a trigger its subject."""

    customer_id: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Leaving:
    """What one commit carries out.

    step      by which the customers are gone
    pending   names of what waits for their outcomes, and goes too
    removal   what else goes, and the tombstones
    notices   one an order; none where all was done before
    """

    step: Step
    pending: Sequence[str]
    removal: Removal
    notices: Sequence[ErasureNotice]


class Erasing:
    """Of one partition.

    tombstones   who was erased; nobody before `begin`
    """

    def __init__(self, partition: int, shop: Shop) -> None:
        self._partition, self._shop = partition, shop
        key = shop.settings.erasure.key
        self._key = None if key is None else key.get_secret_value().encode()
        self._fingerprint = "" if self._key is None else fingerprint(self._key)
        self.tombstones = Tombstones(self._key, {})
        after_days = shop.settings.erasure.forget_after_days
        self._forget_after_ms = None if after_days is None else after_days * DAY_MS
        prefix = shop.settings.kafka.topic_prefix
        self._about_customers = {prefix + ALERTS, prefix + TRIGGERS}
        self._remains = what_remains(prefix, shop.settings.kafka.inputs, shop.settings.channels.names())

    async def begin(self) -> None:
        """Learn who was erased. Raises ErasureKeyError where the key that tells is not the one we have."""
        stored = await self._shop.store.erased(self._partition)
        if stored.times and stored.fingerprint != self._fingerprint:
            what = "is not set" if self._key is None else "is not the one that they were recorded with"
            raise ErasureKeyError(
                f"partition {self._partition}: customers were erased here, and erasure.key {what}; without it their events could "
                "not be told from others': set the former key (CHURNWATCH_ERASURE__KEY)"
            )
        self.tombstones = Tombstones(self._key, stored.times)

    def kept(self, batch: Columns, known: Container[str]) -> Columns:
        """The batch without events that were erased; see `Tombstones.kept`."""
        kept = self.tombstones.kept(batch, known)
        for rank, events in kept.dropped.items():
            self._shop.metrics.events_erased[EVENTS[rank]].inc(events)
        return kept.batch

    async def plan(self, orders: Sequence[Erase], table: CustomerTable, *, anything_waits: bool) -> Leaving:
        """What carrying out these orders takes. `table` holds whatever rows there are of their customers.

        anything_waits   whether the outbox may hold something
        An order that is as old as its customer's tombstone was carried out before, unless there is a row again.
        Raises ErasureKeyError, and what the store raises.
        """
        if self._key is None:
            raise ErasureKeyError(
                f"partition {self._partition}: an erasure is asked for, and erasure.key is not set; set it to a secret of 16 "
                "characters or more on every worker (CHURNWATCH_ERASURE__KEY) and start again: nothing was passed over"
            )
        due = [order for order in orders if order.customer_id in table.row_of or not self._done_before(order)]
        customers = list(dict.fromkeys(order.customer_id for order in due))
        names = await self._shop.store.triggered_of(self._partition, set(customers)) if customers else []
        # of all days, since what waits there may be of other settings, or of before learning was switched off
        pending = await self._shop.store.pending_of(self._partition, set(customers)) if customers else []
        waiting = await self._waiting(set(customers)) if customers and anything_waits else {}
        erased: dict[bytes, int] = {}
        for order in due:
            digest = self.tombstones.digest(order.customer_id)
            erased[digest] = max(order.at_ms, erased.get(digest, 0), self.tombstones.time_ms(order.customer_id) or 0)
        numbers = [number for of_one in waiting.values() for number in of_one]
        triggers = Counter(name.partition("\0")[2] for name in names)
        removed = {
            customer: Removed(
                record=customer in table.row_of, triggers=triggers[customer], messages=len(waiting.get(customer, ()))
            )
            for customer in customers
        }
        now_ms = self._shop.now_ms()
        notices = [
            notice(order, self._partition, now_ms, removed.pop(order.customer_id, _NOTHING), self._remains) for order in due
        ]
        return Leaving(without(table, customers), pending, Removal(names, numbers, erased, self._fingerprint), notices)

    def _done_before(self, order: Erase) -> bool:
        erased_ms = self.tombstones.time_ms(order.customer_id)
        return erased_ms is not None and erased_ms >= order.at_ms

    async def _waiting(self, customers: Collection[str]) -> dict[str, list[int]]:
        """Numbers of the alerts and triggers that wait in the outbox, by customer."""
        found: dict[str, list[int]] = defaultdict(list)
        keys, after_no = {customer.encode() for customer in customers}, 0
        while page := await self._shop.store.outbox_read(self._partition, after_no, PAGE):
            for entry in page:
                if entry.key in keys and entry.topic in self._about_customers:
                    about = msgspec.json.decode(entry.value, type=_About)
                    if (customer := about.customer_id or about.subject) in customers:  # an ingestion alert is about nobody
                        found[customer].append(entry.number)
            after_no = page[-1].number
        return found

    def removal(self, leaving: Leaving | None, watermark_ms: int) -> Removal | None:
        """What a commit takes away beside records; None for most. Tombstones that are old enough are forgotten with it."""
        old = [] if self._forget_after_ms is None else self.tombstones.older_than(watermark_ms - self._forget_after_ms)
        if leaving is None:
            return Removal(forgotten=old) if old else None
        again = leaving.removal.erased.keys()
        return replace(leaving.removal, forgotten=[digest for digest in old if digest not in again])

    def committed(self, removal: Removal, carried_out: int) -> None:
        """It is in the store, for so many orders."""
        self.tombstones.forget(removal.forgotten)
        self.tombstones.bury(removal.erased)
        self._shop.metrics.erasures.inc(carried_out)
