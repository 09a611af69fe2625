"""Every way out, made against a receiver of the test: what the contract suite runs on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.lark import NotifyLark
from apprise.plugins.wecombot import NotifyWeComBot

from alerts.alert import Message
from alerts.channels.alertmanager import Alertmanager
from alerts.channels.apprise import apprise_channel
from alerts.channels.port import DELIVERED, Answer, Channel
from tests.support.receiver import Receiver, Request

TOKEN = "t0kenOfOurs"
TIMEOUT_S = 1.0


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class FakeChannel:
    """A channel in memory that obeys the contract, and does what its receiver would make it do.

    sent   what was delivered
    """

    def __init__(self, hook: Receiver, timeout_s: float) -> None:
        self._hook, self._timeout_s = hook, timeout_s
        self.sent: list[Message] = []

    async def send(self, message: Message) -> Answer:
        if self._hook.hangs:
            await asyncio.sleep(self._timeout_s)
            return Answer("failed", "no answer")
        if self._hook.status != 200:
            return Answer("refused" if self._hook.status == 400 else "failed", f"HTTP {self._hook.status}")
        self.sent.append(message)
        return DELIVERED

    def shows(self, message: Message) -> bool:  # noqa: ARG002 - the port passes it
        return False

    async def refresh(self) -> Answer:
        return DELIVERED

    async def close(self) -> None:
        """Nothing to leave."""


class Case(NamedTuple):
    """One way out.

    make        of a receiver and of pytest's way to put an address in place of the service's own
    text        what a person reads in a request
    success     body of an answer that means success
    refusal     body of an answer with status 200 that means failure; None where there is none
    """

    name: str
    make: Callable[[Receiver, pytest.MonkeyPatch], Channel]
    text: Callable[[Request], str]
    success: bytes = b"{}"
    refusal: bytes | None = None


def _alertmanager(hook: Receiver, _patch: pytest.MonkeyPatch) -> Channel:
    return Alertmanager([hook.url(f"/{TOKEN}")], system="shop", least_tier="watch", timeout_s=TIMEOUT_S, now_ms=wall_ms)


def _apprise(url: Callable[[Receiver], str], **in_place: tuple[type, str]) -> Callable[[Receiver, pytest.MonkeyPatch], Channel]:
    def make(hook: Receiver, patch: pytest.MonkeyPatch) -> Channel:
        for name, (plugin, path) in in_place.items():
            patch.setattr(plugin, name, hook.url(path))
        return apprise_channel(url(hook), timeout_s=TIMEOUT_S, now_ms=wall_ms)

    return make


def _json(*path: str) -> Callable[[Request], str]:
    def text(request: Request) -> str:
        found: Any = request.json
        for key in path:
            found = found[key]
        return str(found)

    return text


def _of_alert(request: Request) -> str:
    return str(request.json[0]["annotations"]["summary"])


OK, BAD = b'{"errcode": 0, "errmsg": "ok"}', b'{"errcode": 310000, "errmsg": "keywords not in content"}'
DING = {"notify_url": (NotifyDingTalk, "/robot/send?access_token={token}")}

CASES = (
    Case("alertmanager", _alertmanager, _of_alert),
    Case("json", _apprise(lambda hook: hook.url(f"/{TOKEN}", "json")), lambda r: f"{r.json['title']}\n{r.json['message']}"),
    Case("dingtalk", _apprise(lambda _: f"dingtalk://{TOKEN}", **DING), _json("text", "content"), OK, BAD),
    Case("dingtalk, signed", _apprise(lambda _: f"dingtalk://s3cret@{TOKEN}", **DING), _json("text", "content"), OK, BAD),
    Case(
        "wecom",
        _apprise(lambda _: f"wecombot://{TOKEN}", notify_url=(NotifyWeComBot, "/send?key={key}")),
        _json("text", "content"),
        OK,
        b'{"errcode": 93000, "errmsg": "invalid webhook url"}',
    ),
    Case(
        "feishu",
        _apprise(lambda _: f"feishu://{TOKEN}", notify_url=(NotifyFeishu, "/hook/{token}/")),
        _json("content", "text"),
        b'{"code": 0, "data": {}, "msg": "success"}',
        b'{"code": 19001, "msg": "param invalid"}',
    ),
    Case(
        "lark",
        _apprise(lambda _: f"lark://{TOKEN}", notify_url=(NotifyLark, "/hook/")),
        _json("content", "text"),
        b'{"StatusCode": 0, "StatusMessage": "success"}',
        b'{"code": 19021, "msg": "sign match fail"}',
    ),
)
