"""What every way out must keep to, the fake of the tests among them. Services that we do not reach are a local receiver."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from alerts.channels.port import Channel
from tests.support.channel_cases import CASES, TIMEOUT_S, TOKEN, Case, FakeChannel, wall_ms
from tests.support.messages import a_message, catch_up, demoted, no_data
from tests.support.receiver import Receiver

ROBOTS = [case for case in CASES if case.refusal is not None]


@pytest_asyncio.fixture
async def channel(request: pytest.FixtureRequest, hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Channel]:
    """The channel of a case, or the fake."""
    case = request.param
    hook.body = b"{}" if case is None else case.success
    made = FakeChannel(hook, TIMEOUT_S) if case is None else case.make(hook, monkeypatch)
    yield made
    hook.hangs = False
    await made.close()


each = pytest.mark.parametrize("channel", [*CASES, None], ids=[*(case.name for case in CASES), "fake"], indirect=True)
each_real = pytest.mark.parametrize(
    ("channel", "case"), [(case, case) for case in CASES], ids=[case.name for case in CASES], indirect=["channel"]
)
each_robot = pytest.mark.parametrize(
    ("channel", "case"), [(case, case) for case in ROBOTS], ids=[case.name for case in ROBOTS], indirect=["channel"]
)


def test_the_set_of_ways_out_is_this_one() -> None:
    assert [case.name for case in CASES] == ["alertmanager", "json", "dingtalk", "dingtalk, signed", "wecom", "feishu", "lark"]


@each
async def test_every_kind_of_message_is_delivered(channel: Channel) -> None:
    messages = [a_message(), a_message(move="escalated"), a_message(move="resolved"), no_data(), demoted(), catch_up()]
    assert [(await channel.send(message)).outcome for message in messages] == ["delivered"] * len(messages)


@each_real
async def test_a_person_reads_who_it_is_and_why(channel: Channel, case: Case, hook: Receiver) -> None:
    await channel.send(a_message("Zoë 王"))
    (request,) = hook.requests
    assert case.text(request).startswith("WATCH  Zoë 王  risk 0.91  no order for 63 days; usually every 14")


@each
@pytest.mark.parametrize("status", [500, 503, 429, 401, 403, 404])
async def test_what_may_pass_later_is_failed_and_passes_later(channel: Channel, status: int, hook: Receiver) -> None:
    hook.status = status
    assert (await channel.send(a_message())).outcome == "failed"
    hook.status = 200
    assert (await channel.send(a_message())).outcome == "delivered"


@each
async def test_a_message_that_is_wrong_is_not_delivered(channel: Channel, hook: Receiver) -> None:
    hook.status = 400
    outcome = (await channel.send(a_message())).outcome
    assert outcome == ("failed" if type(channel).__name__ == "AppriseChannel" else "refused")


@each
async def test_a_receiver_that_hangs_costs_no_more_than_the_timeout(channel: Channel, hook: Receiver) -> None:
    hook.hangs = True
    for _ in range(2):
        began_s = time.monotonic()
        assert (await channel.send(a_message())).outcome == "failed"
        assert time.monotonic() - began_s < TIMEOUT_S + 0.5
    hook.hangs = False
    async with asyncio.timeout(5.0):
        while (await channel.send(a_message())).outcome != "delivered":
            await asyncio.sleep(0.02)


@each_real
async def test_nobody_there_is_failed(channel: Channel, case: Case, hook: Receiver) -> None:
    assert case.name
    hook.close()
    answer = await channel.send(a_message())
    assert answer.outcome == "failed"
    assert answer.why


@each_real
@pytest.mark.parametrize("trouble", ["500", "400", "hangs", "gone", "body"])
async def test_neither_reasons_nor_logs_show_the_address(
    channel: Channel, case: Case, trouble: str, hook: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.status = int(trouble) if trouble.isdigit() else 200
    hook.hangs = trouble == "hangs"
    hook.body = case.refusal or b"no JSON" if trouble == "body" else case.success
    if trouble == "gone":
        hook.close()
    answer = await channel.send(a_message())
    for secret in (TOKEN, "s3cret", str(hook.port), "keywords"):
        assert secret not in answer.why
        assert secret not in caplog.text


@each_robot
async def test_a_success_whose_body_says_error_is_failed(channel: Channel, case: Case, hook: Receiver) -> None:
    hook.body = case.refusal or b""
    answer = await channel.send(a_message())
    assert answer.outcome == "failed"
    assert "code " in answer.why
    hook.body = b"<html>a proxy's page</html>"
    assert (await channel.send(a_message())).outcome == "failed"
    hook.body = case.success
    assert (await channel.send(a_message())).outcome == "delivered"


@pytest.mark.parametrize("channel", [case for case in CASES if case.name == "dingtalk, signed"], indirect=True)
async def test_dingtalk_gets_the_signature_that_it_computes_itself(channel: Channel, hook: Receiver) -> None:
    before_ms = wall_ms()
    await channel.send(a_message())
    (request,) = hook.requests
    at = request.query["timestamp"]
    assert before_ms <= int(at) <= wall_ms()
    expected = hmac.new(b"s3cret", f"{at}\ns3cret".encode(), hashlib.sha256).digest()
    assert request.query["sign"] == base64.b64encode(expected).decode()
    assert request.query["access_token"] == TOKEN


@pytest.mark.parametrize("channel", [case for case in CASES if case.name == "wecom"], indirect=True)
async def test_wecom_gets_no_more_than_it_takes(channel: Channel, hook: Receiver) -> None:
    await channel.send(a_message("王" * 128, cause_why="很" * 700))
    content = hook.requests[0].json["text"]["content"]
    assert 2_000 < len(content.encode()) <= 2_048
    assert content.endswith("…")
