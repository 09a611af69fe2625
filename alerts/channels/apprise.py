"""Any address that the library Apprise knows: mail, Slack, Teams, PagerDuty, webhooks, and a hundred more.

Apprise says only whether a message went, not why it did not, so nothing is ever `refused` here: a message that fails while others
pass goes into the digest all the same. Its own pauses between messages are switched off, since the budget keeps the pace.

Apprise blocks, so each message has a thread of its own. A send that outlives the timeout is left behind; while it
lasts no other begins, so a receiver that hangs costs one thread a channel. Whatever it sends in the end comes a second time.

Its log lines, and those of the libraries below it, quote addresses; they are switched off for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from functools import partial

from apprise import Apprise, NotifyFormat, NotifyType
from apprise.plugins.base import NotifyBase

from alerts.alert import Alert, Digest, Message
from alerts.channels.chat_robots import ChatRobot, robot
from alerts.channels.port import DELIVERED, Answer, Channel
from alerts.render import title_and_body
from detectors.actions import Tier

QUIET = ("apprise", "urllib3", "requests")

_TYPES: dict[Tier, NotifyType] = {
    "none": NotifyType.SUCCESS,
    "watch": NotifyType.INFO,
    "high": NotifyType.WARNING,
    "critical": NotifyType.FAILURE,
}


def is_known(url: str) -> bool:
    """Whether Apprise knows what to do with this address."""
    return _plugin(url) is not None


def apprise_channel(url: str, *, timeout_s: float, now_ms: Callable[[], int]) -> Channel:
    """The channel to what an address names.

    timeout_s   longest time for one message; what the address says of timeouts does not count
    now_ms      wall clock, ms since 1970
    Raises ValueError, without the address, for one that Apprise does not know.
    """
    plugin = _plugin(url)
    if plugin is None:
        raise ValueError("not an address that Apprise knows")
    found = robot(plugin)
    if found is not None:
        return ChatRobot(found, timeout_s=timeout_s, verify=plugin.verify_certificate, now_ms=now_ms)
    return AppriseChannel(plugin, timeout_s=timeout_s)


def _plugin(url: str) -> NotifyBase | None:
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return Apprise.instantiate(url)


class AppriseChannel:
    """The channel to one Apprise plugin."""

    def __init__(self, plugin: NotifyBase, *, timeout_s: float) -> None:
        self._plugin, self._timeout_s = plugin, timeout_s
        plugin.request_rate_per_sec = 0.0
        plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout_s
        self._busy = False

    async def send(self, message: Message) -> Answer:
        """Hand the message to Apprise and wait for its yes or no."""
        if self._busy:
            return Answer("failed", "the former message is still under way")
        title, body = title_and_body(message)
        send = partial(
            self._plugin.notify, body=body, title=title, notify_type=notify_type(message), body_format=NotifyFormat.TEXT
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                went = await self._in_a_thread(send)
        except TimeoutError:
            return Answer("failed", f"no answer within {self._timeout_s:g} s")
        except Exception as problem:  # noqa: BLE001 - a hundred plugins; what they raise may quote the address
            return Answer("failed", type(problem).__name__)
        return DELIVERED if went else Answer("failed", "Apprise could not send it")

    def shows(self, message: Message) -> bool:  # noqa: ARG002 - the port passes it
        """What was sent is sent: nothing stands anywhere."""
        return False

    async def refresh(self) -> Answer:
        """Nothing to repeat."""
        return DELIVERED

    async def close(self) -> None:
        """Nothing to leave: a thread that hangs ends with its socket's timeout, and keeps no process alive."""

    def _in_a_thread(self, call: Callable[[], bool]) -> asyncio.Future[bool]:
        """Of its own, since the threads of a pool are joined when the process ends."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()

        def tell(result: bool, problem: Exception | None) -> None:
            if future.done():  # nobody waits any more
                return
            future.set_result(result) if problem is None else future.set_exception(problem)

        def run() -> None:
            result, problem = False, None
            try:
                result = bool(call())
            except Exception as raised:  # noqa: BLE001 - handed to whoever waits
                problem = raised
            self._busy = False
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, result, problem)

        self._busy = True
        threading.Thread(target=run, name="apprise", daemon=True).start()
        return future


def notify_type(message: Message) -> NotifyType:
    """How pressing, as Apprise has it: the colour of a card, the severity of a page."""
    if isinstance(message, Alert):
        return _TYPES[message.tier]
    if isinstance(message, Digest):
        tiers: tuple[Tier, ...] = ("critical", "high", "watch")
        return next((_TYPES[tier] for tier in tiers if message.by_tier.get(tier)), NotifyType.INFO)
    return NotifyType.WARNING if message.status == "firing" else NotifyType.SUCCESS
