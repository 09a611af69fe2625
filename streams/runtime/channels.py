"""The channels of the settings, as parts of a worker: each in a task of its own, none of which can end the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import structlog
from aiokafka.errors import KafkaError  # type: ignore[import-untyped] # aiokafka ships no types

from alerts.alert import Digest, DigestEntry
from alerts.channels.port import Channel
from alerts.ids import rfc3339
from streams.runtime.backoff import Backoff
from streams.runtime.broker_clock import host_ms
from streams.runtime.findings import Finding
from streams.runtime.metrics import Metrics
from streams.runtime.sender import passing
from streams.runtime.settings import KafkaSettings, Settings
from streams.runtime.settings_channels import ALERTMANAGER, ChannelSettings, split_addresses
from streams.runtime.subscription import Subscription

log = structlog.get_logger()

BEGIN_PATIENCE_S = 10.0
END_PATIENCE_S = 5.0


def system_name(kafka: KafkaSettings) -> str:
    """What tells this system from others at a receiver. Neither part may have the `/`, so no two systems share a name.

    >>> system_name(KafkaSettings()), system_name(KafkaSettings(topic_prefix="eu."))
    ('churnwatch', 'eu./churnwatch')
    """
    return f"{kafka.topic_prefix}/{kafka.group}" if kafka.topic_prefix else kafka.group


def channel_makers(settings: ChannelSettings, system: str, now_ms: Callable[[], int]) -> dict[str, Callable[[], Channel]]:
    """Name -> what makes the way to its receiver. now_ms: the time, ms since 1970."""
    makers: dict[str, Callable[[], Channel]] = {}
    if settings.alertmanager is not None:
        from alerts.channels.alertmanager import Alertmanager  # only who has channels pays for their libraries

        urls = split_addresses(settings.alertmanager)
        makers[ALERTMANAGER] = partial(
            Alertmanager, urls, system=system, least_tier=settings.least_tier, timeout_s=settings.timeout_s, now_ms=now_ms
        )
    if settings.apprise:
        from alerts.channels.apprise import apprise_channel  # as above

        for name, url in sorted(settings.apprise.items()):
            makers[name] = partial(apprise_channel, url.get_secret_value(), timeout_s=settings.timeout_s, now_ms=now_ms)
    return makers


def trial(name: str, at_ms: int) -> Digest:
    """A message that asks nothing of whoever reads it: a digest of no alerts, which ends by itself wherever it stands."""
    text = f"This is a test of churnwatch's channel {name}; there is nothing to do."
    entry = DigestEntry(customer_id="test", tier="none", risk=0.0, text=text)
    at = rfc3339(at_ms)
    return Digest(
        digest_id=f"test-{name}-{at_ms}", kind="overflow", since=at, until=at, alerts=0, by_tier={}, top=[entry]
    )  # fmt: skip


async def try_channels(settings: Settings, names: Iterable[str]) -> list[Finding]:
    """Send one test message to each of these channels."""
    makers = channel_makers(settings.channels, system_name(settings.kafka), host_ms)
    return [await _tried(name, makers.get(name)) for name in names] or [
        Finding("channels", "warning", "there are none", "name some in channels.alertmanager or channels.apprise")
    ]


async def _tried(name: str, make: Callable[[], Channel] | None) -> Finding:
    if make is None:
        return Finding(name, "error", "there is no channel of that name", "see channels.alertmanager and channels.apprise")
    channel = make()
    try:
        answer = await channel.send(trial(name, host_ms()))
    finally:
        await channel.close()
    if answer.outcome == "delivered":
        return Finding(name, "ok", "the receiver took a test message")
    return Finding(name, "error", f"not delivered: {answer.why}", "check the address and the receiver, and the way to it")


class Channels:
    """All of them.

    now_ms   what time it is, ms since 1970
    """

    def __init__(self, settings: Settings, metrics: Metrics, backoff: Backoff, now_ms: Callable[[], int]) -> None:
        self._backoff = replace(backoff, patience_s=BEGIN_PATIENCE_S)
        makers = channel_makers(settings.channels, system_name(settings.kafka), now_ms)
        self._subscriptions = {name: Subscription(name, make, settings, metrics) for name, make in makers.items()}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin those that are new at the end of the topic, before anything more is written to it, and run all."""
        for name, subscription in self._subscriptions.items():
            try:
                await self._backoff.run(f"begin channel {name}", subscription.begin, passing)
            except (KafkaError, OSError) as problem:  # such as a group that we may not use; TimeoutError is an OSError
                log.warning("channel cannot begin", channel=name, error=type(problem).__name__)
            self._tasks.append(asyncio.create_task(subscription.run(), name=f"channel-{name}"))

    async def stop(self) -> None:
        """Let each finish the message that is under way, but not for ever: what was not settled is read again."""
        for subscription in self._subscriptions.values():
            subscription.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=END_PATIENCE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
