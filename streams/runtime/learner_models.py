"""`churn.models` as the learner sees it: what serves, what was fitted, models to go back to, and what is asked of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from detectors.parameters import BtydParameters, loads
from streams.model_control import ControlMessage, decode_control
from streams.runtime.backoff import Backoff
from streams.runtime.follower import Follower
from streams.runtime.settings import KafkaSettings
from streams.runtime.topics import MODELS
from streams.serving import (
    CHAMPION_PREFIX,
    CLOSED_FORM_KEY,
    CONTROL_KEY,
    FITTED_PREFIX,
    SERVING_KEY,
    Serving,
    decode_serving,
)

log = structlog.get_logger()


class PublishedModels:
    """The topic, read from its beginning and followed.

    changed   called after each record

    serving       the newest message of what serves, as bytes; empty where there is none
    contradicted  whether that was written, or taken away, by another hand, since `settled`
    closed_form   the newest parameters that a person has sent; None: never
    fits          version -> parameters that the learner has fitted
    champions     version -> model to go back to
    """

    def __init__(
        self, kafka: KafkaSettings, backoff: Backoff, on_failure: Callable[[BaseException], None], changed: Callable[[], None]
    ) -> None:
        self.serving = b""
        self.contradicted = False
        self._ours: deque[bytes] = deque(maxlen=64)
        self.closed_form: BtydParameters | None = None
        self.fits: dict[str, BtydParameters] = {}
        self.champions: dict[str, Serving] = {}
        self._asked: list[tuple[int, ControlMessage | BtydParameters]] = []
        self._changed = changed
        self._follower = Follower(kafka, kafka.topic_prefix + MODELS, backoff, on_failure, self._take)

    async def start(self) -> None:
        """Returns once what is there has been read, or the following has failed."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following."""
        await self._follower.stop()

    def sending(self, serving: bytes) -> None:
        """This is about to be written by us."""
        self._ours.append(serving)

    def settled(self) -> None:
        """Whoever wrote what the topic says, it has been heeded, or is being answered."""
        self.contradicted = False

    def asked(self, from_offset: int) -> list[tuple[int, ControlMessage | BtydParameters]]:
        """What people ask for from this offset on, in order: commands, and parameters to take up."""
        return [(offset, what) for offset, what in self._asked if offset >= from_offset]

    def _take(self, record: Any) -> None:
        try:
            self._read(record.offset, record.key or b"", record.value)
        except ValueError as problem:
            log.error("passed over on churn.models", offset=record.offset, key=str(record.key), error=str(problem))
        self._changed()

    def _read(self, offset: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._taken_away(key)
        elif key.startswith(CHAMPION_PREFIX):
            self.champions[key.removeprefix(CHAMPION_PREFIX).decode()] = decode_serving(value)
        elif key == SERVING_KEY:
            self.serving = value
            self._by_whom(value)
        elif key == CONTROL_KEY:
            self._asked.append((offset, decode_control(value)))
        elif key == CLOSED_FORM_KEY:
            self.closed_form = loads(value)
            self._asked.append((offset, self.closed_form))
        elif key.startswith(FITTED_PREFIX):
            parameters = loads(value)
            self.fits[parameters.version] = parameters

    def _taken_away(self, key: bytes) -> None:
        """Old champions by the learner, all that was learnt by `churnwatch rebuild --forget-learnt`."""
        if key.startswith(CHAMPION_PREFIX):
            self.champions.pop(key.removeprefix(CHAMPION_PREFIX).decode(), None)
        elif key.startswith(FITTED_PREFIX):
            self.fits.pop(key.removeprefix(FITTED_PREFIX).decode(), None)
        elif key == SERVING_KEY:
            self.serving, self.contradicted = b"", True  # a learner takes nothing away here
        elif key == CONTROL_KEY:
            self._asked = [(offset, what) for offset, what in self._asked if not isinstance(what, ControlMessage)]

    def _by_whom(self, serving: bytes) -> None:
        """What we wrote comes back in the order in which we wrote it."""
        self.contradicted = serving not in self._ours
        while not self.contradicted and self._ours.popleft() != serving:
            pass
