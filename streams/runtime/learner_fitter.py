"""The closed form's parameters from the customers in the store, as they were at a tick; the same for whoever asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from detectors.parameters import BtydParameters
from streams.customer import read_records
from streams.refits import Histories, histories, refit, refit_version, together
from streams.runtime.learner_desk import NotNow
from streams.runtime.store import RecordStore

SLICE = 20_000


class SystemFitter:
    """partitions   of the customers
    published    version -> what was fitted before
    """

    def __init__(self, store: RecordStore, partitions: int, published: Mapping[str, BtydParameters]) -> None:
        self._store, self._partitions, self._published = store, partitions, published

    async def fit(self, at_ms: int, *, exact: bool) -> BtydParameters:
        """See `Fitter`. What was published at a tick counts, so whoever learns the past anew learns the same.

        While history is loaded every partition waits at the tick, so the scan, partition by partition, is of one time.
        """
        version = refit_version(at_ms)
        if version in self._published:
            return self._published[version]
        if not exact:
            if any((one.fitted_at_ms or 0) > at_ms for one in self._published.values()):
                raise ValueError("nor was it then")
            raise NotNow("partitions have gone on since")
        known = await self._histories(at_ms)
        return await asyncio.to_thread(refit, known, at_ms)

    async def _histories(self, at_ms: int) -> Histories:
        parts = [histories(read_records([]), at_ms)]
        for partition in range(self._partitions):
            records: list[bytes] = []
            async for _, record in self._store.scan_records(partition):
                records.append(record)
                if len(records) >= SLICE:
                    parts.append(histories(read_records(records), at_ms))
                    records = []
            parts.append(histories(read_records(records), at_ms))
        return together(parts)
