"""The learner's state in memory: the fake for tests that need no Redis. It passes the contract that Redis passes."""

from __future__ import annotations

import dataclasses

from streams.runtime.learner_store import LearnerRecord, check_fields, not_ours, refused
from streams.runtime.store import System


class MemoryLearnerStore:
    """`LearnerStore` in memory. `record` may be kept and put back by a test to play a replica that lost commits."""

    def __init__(self) -> None:
        self.record = LearnerRecord()
        self._generation, self._system = -1, System()

    async def take(self, generation: int, nonce: str, system: System) -> LearnerRecord:
        if self._system.group and self._system != system:
            raise refused("system", list(self._system), generation, system)
        if self._generation > generation:
            raise refused("generation", [str(self._generation)], generation, system)
        if (self._generation, self.record.nonce) != (generation, nonce):
            self._generation, self._system = generation, system
            self.record = dataclasses.replace(self.record, epoch=self.record.epoch + 1, nonce=nonce)
        return self.record

    async def commit(self, record: LearnerRecord, seq: int, fields: dict[str, bytes]) -> None:
        check_fields(fields)
        stored = self.record
        if (stored.epoch, stored.nonce) != (record.epoch, record.nonce) or stored.seq not in (seq, seq - 1):
            raise not_ours(record, stored.epoch, stored.nonce, stored.seq, seq)
        if stored.seq == seq - 1:
            self.record = dataclasses.replace(stored, seq=seq, fields=stored.fields | fields)

    async def read(self) -> LearnerRecord:
        return self.record

    async def reset_generation(self) -> bool:
        if self.record == LearnerRecord():
            return False
        self._generation, self._system = -1, self._system._replace(group="")
        self.record = dataclasses.replace(self.record, epoch=self.record.epoch + 1, nonce="")
        return True
