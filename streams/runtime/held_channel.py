"""A channel while this worker holds it: records of `churn.alerts` in, messages to the receiver out, counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from alerts.alert import decode_any
from alerts.channels.port import Channel
from alerts.delivery import Desk, Sending
from alerts.selection import Recent, select
from streams.runtime.backoff import Backoff
from streams.runtime.metrics import Metrics
from streams.runtime.settings_channels import ChannelSettings

log = structlog.get_logger()

REFRESH_MS = 180_000
"""How often a receiver that forgets is told again: well below Alertmanager's five minutes of patience with other senders."""
PAUSES = Backoff(first_s=0.5, cap_s=30.0)


class HeldChannel:
    """One tenure. Make another one whenever partitions are assigned; nothing of this one is then of use but `delivered`.

    channel     to the receiver; closed by `close`
    delivered   ids of messages that were delivered in this process
    now_ms      wall clock, ms since 1970
    """

    def __init__(
        self,
        name: str,
        channel: Channel,
        settings: ChannelSettings,
        metrics: Metrics,
        delivered: Recent,
        now_ms: Callable[[], int],
    ) -> None:
        self._name, self._channel, self._least_tier, self._metrics, self._now_ms = (
            name, channel, settings.least_tier, metrics, now_ms
        )  # fmt: skip
        self.desk = Desk(
            name,
            per_minute=settings.per_minute,
            attempts=settings.attempts,
            pause_ms=lambda failures: round(PAUSES.pause_s(failures) * 1000),
            delivered=delivered,
            shows=channel.shows,
        )
        self._refresh_ms = 0
        self._failing = False

    def take(self, partition: int, offset: int, value: bytes | None) -> None:
        """One record of the topic."""
        outcome = self._taken(partition, offset, value)
        if outcome is not None:
            self._metrics.channel_messages[self._name, outcome].inc()
            self.desk.skip(partition, offset)

    def _taken(self, partition: int, offset: int, value: bytes | None) -> str | None:
        """Why it is not told; None when it is."""
        try:
            message = decode_any(value or b"")
        except msgspec.DecodeError:  # ValidationError among them; perhaps of a newer version
            log.warning("not a message that a channel can tell", channel=self._name, partition=partition, offset=offset)
            return "unreadable"
        selected = select(message, self._least_tier)
        if selected != "told":
            return selected
        return None if self.desk.take(partition, offset, message) else "repeat"

    def wait_ms(self, most_ms: int) -> int:
        """How long nothing is to be sent, `most_ms` at most."""
        wake_ms = self.desk.wake_ms()
        return most_ms if wake_ms is None else max(0, min(most_ms, wake_ms - self._now_ms()))

    def wants_more(self) -> bool:
        """Whether to read on."""
        return self.desk.wants_more(self._now_ms())

    def has_work(self) -> bool:
        """Whether something is to be sent or repeated now."""
        return self.refresh_is_due() or self.wait_ms(1) == 0

    def refresh_is_due(self) -> bool:
        """Whether to repeat what stands."""
        return self._now_ms() >= self._refresh_ms

    async def refresh(self) -> None:
        """Repeat what stands. Only for who surely holds the channel: another may have told its end meanwhile."""
        answer = await self._channel.refresh()
        self._refresh_ms = self._now_ms() + (REFRESH_MS if answer.outcome == "delivered" else REFRESH_MS // 10)
        self._told(answer.outcome == "delivered", answer.why)

    async def send(self) -> None:
        """Send one message, if there is one to send now."""
        sending = self.desk.next(self._now_ms())
        if sending is not None:
            await self._send(sending)

    async def _send(self, sending: Sending) -> None:
        answer = await self._channel.send(sending.message)
        settled = self.desk.answered(sending, answer.outcome, self._now_ms())
        self._told(answer.outcome == "delivered", answer.why)
        if answer.outcome == "refused":
            log.warning("the receiver refuses a message", channel=self._name, why=answer.why, **_place(sending))
        if settled is not None:
            self._metrics.channel_messages[self._name, settled.outcome].inc(settled.messages)

    def _told(self, good: bool, why: str) -> None:
        """Count failures; log when they begin and when they end."""
        if not good:
            self._metrics.channel_failures[self._name].inc()
        if good and self._failing:
            log.info("channel delivers again", channel=self._name)
        elif not good and not self._failing:
            log.warning("channel does not deliver; trying again", channel=self._name, why=why)
        self._failing = not good

    async def close(self) -> None:
        """The tenure is over, and nothing is under way."""
        await self._channel.close()


def _place(sending: Sending) -> dict[str, Any]:
    return {} if sending.item is None else {"partition": sending.item.partition, "offset": sending.item.offset}
