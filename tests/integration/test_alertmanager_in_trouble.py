"""The Alertmanager channel where Alertmanager is in trouble, or something else stands in its place; a local receiver plays it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from alerts.channels.alertmanager import BATCH, Alertmanager
from alerts.channels.alertmanager_alerts import posted
from tests.support.channel_cases import wall_ms
from tests.support.messages import a_message
from tests.support.receiver import Receiver


@pytest_asyncio.fixture
async def channel(hook: Receiver) -> AsyncIterator[Alertmanager]:
    """To `hook`."""
    made = Alertmanager([hook.url("/x")], system="shop", least_tier="watch", timeout_s=5.0, now_ms=wall_ms)
    yield made
    await made.close()


def told_as_standing(**labels: str) -> bytes:
    """What an Alertmanager says that has one alert, of the channel's system unless the labels say otherwise."""
    alert = posted(a_message("anna"), wall_ms(), system="shop")[-1]
    return json.dumps([alert | {"labels": alert["labels"] | labels}]).encode()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_who_takes_over_asks_again_while_alertmanager_is_out_of_order(
    status: int, hook: Receiver, channel: Alertmanager
) -> None:
    hook.status, hook.told = status, told_as_standing()
    assert (await channel.refresh()).outcome == "failed"
    assert (await channel.send(a_message("ben"))).outcome == "failed"
    assert hook.requests == [], "nothing is told by who does not know what stands"
    hook.status = 200
    assert (await channel.refresh()).outcome == "delivered"
    assert channel.shows(a_message("anna"))


async def test_one_that_will_not_tell_is_not_asked_again(hook: Receiver, channel: Alertmanager) -> None:
    hook.status, hook.told = 403, told_as_standing()
    assert (await channel.refresh()).outcome == "delivered", "there is nothing to repeat"
    hook.status = 200
    assert (await channel.send(a_message("ben"))).outcome == "delivered"
    assert not channel.shows(a_message("anna"))


async def test_what_another_system_began_is_not_adopted_even_where_the_filter_is_not_heeded(
    hook: Receiver, channel: Alertmanager
) -> None:
    hook.told = told_as_standing(system="another")
    assert (await channel.refresh()).outcome == "delivered"
    assert not channel._known


async def test_a_refresh_ends_at_the_first_batch_that_is_not_taken(hook: Receiver, channel: Alertmanager) -> None:
    await channel.refresh()
    channel._remember({"labels": {"alert_id": str(k)}, "endsAt": "2999"} for k in range(3 * BATCH))
    hook.status = 503
    assert (await channel.refresh()).outcome == "failed"
    assert len(hook.requests) == 1
    hook.status = 200
    assert (await channel.refresh()).outcome == "delivered"
    assert [len(request.json) for request in hook.taken()] == [BATCH] * 3
