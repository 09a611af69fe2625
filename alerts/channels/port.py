"""The port to a receiver outside: what a channel must be able to do, and what it answers."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from alerts.alert import Message
from alerts.delivery import Outcome


class Answer(NamedTuple):
    """What came of a message.

    delivered   the receiver has it
    refused     the receiver will never take this one; another may pass
    failed      it may pass later; the receiver may even have it
    why         in words, for logs: carries no address, no token and nothing that the receiver said
    """

    outcome: Outcome
    why: str = ""


DELIVERED = Answer("delivered")


class Channel(Protocol):
    """One receiver. One task at a time calls it; nothing here raises for what the receiver or the network does."""

    async def send(self, message: Message) -> Answer:
        """Deliver one message. Whatever the receiver does, a request lasts no longer than the timeout that the channel was made
        with, and there are two of them at most."""
        ...

    def shows(self, message: Message) -> bool:
        """Whether the receiver shows what this message changes or ends. Such a message is sent however full the minute is: in a
        digest it would leave the receiver with what is not true any more."""
        ...

    async def refresh(self) -> Answer:
        """Say again what the receiver forgets when nobody repeats it. Whoever holds the channel asks every few minutes."""
        ...

    async def close(self) -> None:
        """Leave connections and threads."""
        ...
