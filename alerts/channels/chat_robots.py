"""DingTalk, WeCom, Feishu and Lark group robots, which answer a message they refuse with HTTP 200 and a code in the body.

Apprise takes such an answer of DingTalk and WeCom for success, and quotes DingTalk's signature twice, so the service refuses
it: nobody would be told, and nobody would know. So Apprise reads the address here, and we send. A message counts as delivered
when the body says code 0 and in no other case.

    DingTalk   https://open.dingtalk.com/document/robots/custom-robot-access
    WeCom      https://developer.work.weixin.qq.com/document/path/91770
    Feishu     https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from apprise.plugins.base import NotifyBase
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.lark import NotifyLark
from apprise.plugins.wecombot import NotifyWeComBot

from alerts.alert import Message
from alerts.channels.port import DELIVERED, Answer
from alerts.channels.posting import JsonClient, Reply, judged
from alerts.render import title_and_body


class Robot(NamedTuple):
    """How one service is spoken to.

    url          where to post
    secret       that requests are signed with; None: they are not
    most_bytes   longest text, bytes of UTF-8
    payload      what to post of a text
    """

    url: str
    secret: str | None
    most_bytes: int
    payload: Callable[[str], dict[str, Any]]


def robot(plugin: NotifyBase) -> Robot | None:
    """The robot that an address read by Apprise names; None when it names something else."""
    if isinstance(plugin, NotifyDingTalk):
        mentioned = {"atMobiles": plugin.targets, "isAtAll": False}
        url = plugin.notify_url.format(token=plugin.token)
        return Robot(url, plugin.secret, 19_000, lambda text: _text(text) | {"at": mentioned})
    if isinstance(plugin, NotifyWeComBot):
        return Robot(plugin.api_url, None, 2_048, _text)
    if isinstance(plugin, NotifyFeishu):
        return Robot(plugin.notify_url.format(token=plugin.token), None, 19_000, _lark_text)
    if isinstance(plugin, NotifyLark):
        return Robot(plugin.webhook_url, None, 19_000, _lark_text)
    return None


class ChatRobot:
    """The channel to one robot.

    timeout_s   longest time for one message
    now_ms      wall clock, ms since 1970, for signatures
    """

    def __init__(self, robot: Robot, *, timeout_s: float, verify: bool, now_ms: Callable[[], int]) -> None:
        self._robot, self._now_ms = robot, now_ms
        self._client = JsonClient(timeout_s, verify=verify)

    async def send(self, message: Message) -> Answer:
        """Post the message as text."""
        text = shortened("\n".join(title_and_body(message)), self._robot.most_bytes)
        signed = {} if self._robot.secret is None else signature(self._robot.secret, self._now_ms())
        return answer_of(await self._client.request("POST", self._robot.url, body=self._robot.payload(text), params=signed))

    def shows(self, message: Message) -> bool:  # noqa: ARG002 - the port passes it
        """What was said is said."""
        return False

    async def refresh(self) -> Answer:
        """Chats forget nothing."""
        return DELIVERED

    async def close(self) -> None:
        """Leave the connections."""
        await self._client.close()


def answer_of(reply: Reply) -> Answer:
    """What a robot's answer says: the status first, then the code in the body (`errcode`, `code`, or formerly `StatusCode`).

    >>> answer_of(Reply(200, b'{"errcode": 0, "errmsg": "ok"}')).outcome
    'delivered'
    >>> answer_of(Reply(200, b'{"errcode": 310000, "errmsg": "sign not match"}'))
    Answer(outcome='failed', why='HTTP 200 with code 310000')
    >>> answer_of(Reply(200, b"<html>")).why
    'HTTP 200 without a code'
    """
    answer = judged(reply)
    if answer.outcome != "delivered":
        return answer
    try:
        told = json.loads(reply.body)
    except ValueError:
        told = None
    codes = [told[name] for name in ("errcode", "code", "StatusCode") if name in told] if isinstance(told, dict) else []
    if not codes or not isinstance(codes[0], int):
        return Answer("failed", "HTTP 200 without a code")
    return DELIVERED if codes[0] == 0 else Answer("failed", f"HTTP 200 with code {codes[0]}")


def signature(secret: str, now_ms: int) -> dict[str, str]:
    """DingTalk's parameters of a signed request, before they are quoted for the address: base64 of HMAC-SHA256.

    >>> signature("SEC0", 1_700_000_000_000)["timestamp"]
    '1700000000000'
    """
    digest = hmac.new(secret.encode(), f"{now_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return {"timestamp": str(now_ms), "sign": base64.b64encode(digest).decode()}


def shortened(text: str, most_bytes: int) -> str:
    """The text, cut between two characters where it is too long.

    >>> shortened("äöü", 6), shortened("äöü", 5)
    ('äöü', 'ä…')
    """
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    end = "…"
    return data[: most_bytes - len(end.encode())].decode(errors="ignore") + end


def _text(text: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": text}}


def _lark_text(text: str) -> dict[str, Any]:
    return {"msg_type": "text", "content": {"text": text}}
