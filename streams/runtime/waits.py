"""Calls to Redis and the broker that are under way: who is being waited for, since when, and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, get_args

Server = Literal["redis", "broker"]
SERVERS: Final[tuple[Server, ...]] = get_args(Server)

_WORDS = (
    # what an error says -> what an operator reads; the first that fits
    ("OutOfMemory", "Redis is out of memory: raise its maxmemory, or make room; nothing is lost meanwhile"),
    ("NOREPLICAS", "too few replicas of Redis: start them, or lower min-replicas-to-write"),
    ("too few replicas hold it", "too few replicas of Redis have the commit: start them, or lower redis.wait_replicas"),
    ("ReadOnly", "this Redis is a replica and takes no writes: point redis.url at the primary"),
    ("MISCONF", "Redis cannot write to its disk: make room there"),
    ("LOADING", "Redis is loading its data"),
    ("CLUSTERDOWN", "the Redis Cluster is down: start the nodes that are away"),
    ("NotEnoughReplicas", "too few in-sync replicas: start the brokers that are away, or lower min.insync.replicas"),
    ("MessageSizeTooLarge", "a message is larger than its topic takes: raise the topic's max.message.bytes"),
    ("AuthorizationFailed", "the user may not do that: grant it on the broker (ACLs)"),
    ("Timeout", "no answer"),
    ("Connection", "no connection"),
)


def in_words(error: str) -> str:
    """What to tell of an error without quoting it, since it may name an address; its class where nothing better is known.

    >>> in_words("TimeoutError: Timeout reading from 10.0.0.7:6379")
    'no answer'
    >>> in_words("outbox entry 3 to churn.alerts and 0 more: KafkaError: strange")
    'KafkaError'
    """
    known = next((words for sign, words in _WORDS if sign in error), None)
    if known is not None:
        return known
    return next((word.rstrip(":") for word in error.split() if word.endswith(("Error:", "Error"))), "it fails")


@dataclass(slots=True)
class Wait:
    """One call.

    since_s   when it began, s of the monotonic clock
    why       what went wrong last, in words; "" as long as nothing did
    """

    server: Server
    operation: str
    since_s: float
    why: str = ""


class Waits:
    """Those that are under way.

    monotonic   time, in s
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._open: dict[int, Wait] = {}
        self._number = 0

    @contextmanager
    def on(self, server: Server, operation: str) -> Iterator[Wait]:
        """A call is under way in the block."""
        self._number += 1
        number, wait = self._number, Wait(server, operation, self._monotonic())
        self._open[number] = wait
        try:
            yield wait
        finally:
            del self._open[number]

    def age_s(self, server: Server) -> float:
        """For how long the oldest call to it has been under way; 0 where none is."""
        oldest = self.oldest(server)
        return 0.0 if oldest is None else self._monotonic() - oldest.since_s

    def oldest(self, server: Server) -> Wait | None:
        """The oldest call to it."""
        return next((wait for wait in self._open.values() if wait.server == server), None)  # in order of their beginning
