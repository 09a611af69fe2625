"""The Alertmanager channel against a real Alertmanager: what it shows, what it tells on, what it has forgotten."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from alerts.channels.alertmanager import STANDING, Alertmanager
from alerts.channels.alertmanager_alerts import HOLD_MS
from detectors.actions import Tier
from tests.support.alertmanager import RunningAlertmanager
from tests.support.eventually import eventually
from tests.support.messages import a_message, catch_up, demoted, no_data
from tests.support.receiver import Receiver

Make = Callable[..., Alertmanager]


@pytest_asyncio.fixture
async def make() -> AsyncIterator[Make]:
    """Makes channels that are closed at the end."""
    made: list[Alertmanager] = []

    def channel(*urls: str, system: str = "shop", ahead_ms: int = 0, least: Tier = "watch") -> Alertmanager:
        def now_ms() -> int:
            return time.time_ns() // 1_000_000 + ahead_ms

        made.append(Alertmanager(urls, system=system, least_tier=least, timeout_s=5.0, now_ms=now_ms))
        return made[-1]

    yield channel
    for one in made:
        await one.close()


def shown(server: RunningAlertmanager, customer: str = "anna") -> list[tuple[str, str]]:
    return [(alert["labels"]["alertname"], alert["labels"]["tier"]) for alert in server.alerts(customer_id=customer)]


def pages(hook: Receiver) -> list[tuple[str, str]]:
    """(status, tier) of each alert that Alertmanager told on."""
    return [
        (alert["status"], alert["labels"].get("tier", "")) for request in [*hook.requests] for alert in request.json["alerts"]
    ]


async def test_it_shows_an_alert_its_change_of_tier_and_its_resolution(
    own_alertmanager: RunningAlertmanager, hook: Receiver, make: Make
) -> None:
    channel = make(own_alertmanager.url)
    assert (await channel.send(a_message("anna"))).outcome == "delivered"
    assert shown(own_alertmanager) == [("ChurnRisk", "watch")]
    eventually(lambda: pages(hook), lambda told: ("firing", "watch") in told)
    assert (await channel.send(a_message("anna", "escalated", 2))).outcome == "delivered"
    eventually(lambda: shown(own_alertmanager), lambda now: now == [("ChurnRisk", "critical")])
    assert (await channel.send(a_message("anna", "resolved", 3, previous_tier="critical"))).outcome == "delivered"
    eventually(lambda: shown(own_alertmanager), lambda now: now == [])
    eventually(lambda: pages(hook), lambda told: ("resolved", "critical") in told)
    assert pages(hook)[0] == ("firing", "watch")


async def test_what_falls_below_the_least_tier_ends_there_since_its_end_will_not_be_told(
    own_alertmanager: RunningAlertmanager, make: Make
) -> None:
    channel = make(own_alertmanager.url, least="critical")
    await channel.send(a_message("anna", "escalated", 2))
    assert shown(own_alertmanager) == [("ChurnRisk", "critical")]
    await channel.send(a_message("anna", "deescalated", 3))
    eventually(lambda: shown(own_alertmanager), lambda now: now == [])


async def test_the_end_ends_a_tier_that_it_does_not_name(own_alertmanager: RunningAlertmanager, make: Make) -> None:
    """The message between the two went into a digest, or was refused."""
    channel = make(own_alertmanager.url)
    await channel.send(a_message("anna", "fired", 1))
    await channel.send(a_message("anna", "resolved", 3, previous_tier="critical"))
    eventually(lambda: shown(own_alertmanager), lambda now: now == [])


async def test_it_knows_what_stands_there_also_after_taking_over(own_alertmanager: RunningAlertmanager, make: Make) -> None:
    first, change = make(own_alertmanager.url), a_message("anna", "escalated", 2)
    assert not first.shows(change)
    await first.send(a_message("anna"))
    assert first.shows(change)
    heir = make(own_alertmanager.url)
    await heir.refresh()
    assert heir.shows(change)
    assert not heir.shows(a_message("ben"))
    assert not heir.shows(catch_up())


async def test_other_messages_show_too(own_alertmanager: RunningAlertmanager, make: Make) -> None:
    channel = make(own_alertmanager.url)
    for message in (no_data(3), catch_up(4_940)):
        assert (await channel.send(message)).outcome == "delivered"
    (digest,) = own_alertmanager.alerts(alertname="ChurnDigest")
    assert digest["annotations"]["summary"].startswith("DIGEST  4,940 alerts left by history")
    assert len(own_alertmanager.alerts(alertname="ChurnIngestion", partition="3")) == 1
    await channel.send(no_data(3, 2, resolved=True))
    eventually(lambda: own_alertmanager.alerts(alertname="ChurnIngestion"), lambda now: now == [])


async def test_what_an_alertmanager_forgot_at_its_restart_is_there_after_a_refresh(
    own_alertmanager: RunningAlertmanager, make: Make
) -> None:
    channel = make(own_alertmanager.url)
    for customer in ("anna", "ben"):
        await channel.send(a_message(customer))
    await channel.send(a_message("ben", "resolved", 2))
    own_alertmanager.restart()
    assert own_alertmanager.alerts() == []
    assert (await channel.refresh()).outcome == "delivered"
    assert shown(own_alertmanager) == [("ChurnRisk", "watch")]
    assert shown(own_alertmanager, "ben") == []


async def test_whoever_takes_the_channel_over_goes_on_repeating_what_stands(
    own_alertmanager: RunningAlertmanager, make: Make
) -> None:
    first = make(own_alertmanager.url)
    for message in (a_message("anna"), a_message("ben"), no_data(0), demoted(), catch_up()):
        await first.send(message)
    (before,) = own_alertmanager.alerts(customer_id="anna")
    heir = make(own_alertmanager.url)
    assert (await heir.refresh()).outcome == "delivered"
    await heir.send(a_message("ben", "resolved", 2))
    own_alertmanager.restart()
    await heir.refresh()
    (after,) = own_alertmanager.alerts(customer_id="anna")
    assert after["labels"] == before["labels"]
    assert after["annotations"] == before["annotations"]
    assert after["startsAt"] == before["startsAt"]
    assert shown(own_alertmanager, "ben") == []
    for name in ("ChurnIngestion", "ChurnModel"):
        assert len(own_alertmanager.alerts(alertname=name)) == 1
    assert own_alertmanager.alerts(alertname="ChurnDigest") == [], "a digest tells of a moment"


async def test_of_two_systems_on_one_alertmanager_neither_takes_over_what_the_other_began(
    own_alertmanager: RunningAlertmanager, make: Make
) -> None:
    names = ("shop", "eu./shop")
    first = {name: make(own_alertmanager.url, system=name) for name in names}
    for message in (a_message("anna"), no_data(0)):
        for channel in first.values():
            await channel.send(message)
    heir = make(own_alertmanager.url, system="shop")
    await heir.refresh()
    adopted = [alert["labels"] for alerts in heir._known.values() for alert in alerts.values()]
    assert sorted((labels["alertname"], labels["system"]) for labels in adopted) == [
        ("ChurnIngestion", "shop"),
        ("ChurnRisk", "shop"),
    ]
    await first["eu./shop"].send(a_message("anna", "resolved", 2))
    await heir.refresh()
    eventually(
        lambda: [alert["labels"]["system"] for alert in own_alertmanager.alerts(customer_id="anna")], lambda now: now == ["shop"]
    )


async def test_a_refresh_prolongs_what_stands(own_alertmanager: RunningAlertmanager, make: Make) -> None:
    await make(own_alertmanager.url).send(a_message("anna"))
    (before,) = own_alertmanager.alerts(customer_id="anna")
    assert (await make(own_alertmanager.url, ahead_ms=HOLD_MS // 2).refresh()).outcome == "delivered"
    (after,) = own_alertmanager.alerts(customer_id="anna")
    assert after["endsAt"] > before["endsAt"]
    assert after["startsAt"] == before["startsAt"]


async def test_events_dated_ahead_make_no_alert_that_is_refused(own_alertmanager: RunningAlertmanager, make: Make) -> None:
    ahead = {"as_of": "2999-01-01T00:00:00.000Z", "episode_started_at": "2998-01-01T00:00:00.000Z"}
    channel = make(own_alertmanager.url)
    for message in (a_message("anna", **ahead), a_message("anna", "resolved", 2, **ahead)):
        assert (await channel.send(message)).outcome == "delivered"
    eventually(lambda: shown(own_alertmanager), lambda now: now == [])


async def test_of_several_members_one_that_answers_is_enough_and_all_are_told(
    own_alertmanager: RunningAlertmanager, hook: Receiver, make: Make
) -> None:
    both = make(own_alertmanager.url, hook.url("/second"))
    await both.send(a_message("anna"))
    assert [request.path for request in hook.requests if request.path != "/page"] == ["/second/api/v2/alerts"]
    hook.status = 500
    assert (await both.send(a_message("ben"))).outcome == "delivered"
    assert shown(own_alertmanager, "ben") == [("ChurnRisk", "watch")]


async def test_it_logs_in_with_what_the_address_carries(hook: Receiver, make: Make) -> None:
    channel = make(hook.url("/am").replace("://", "://me:p%40ss@"))
    assert (await channel.send(a_message())).outcome == "delivered"
    assert hook.requests[0].path == "/am/api/v2/alerts"
    assert hook.requests[0].headers["Authorization"] == "Basic bWU6cEBzcw=="


async def test_what_it_repeats_is_bounded(make: Make) -> None:
    channel = make("http://127.0.0.1:9")
    channel._remember({"labels": {"alert_id": str(k)}, "endsAt": "2999"} for k in range(STANDING + 5))
    assert [*channel._known] == [str(k) for k in range(5, STANDING + 5)]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'[{"labels": {}}]', b"[3]"])
async def test_an_answer_that_is_not_alertmanagers_is_let_be(body: bytes, hook: Receiver, make: Make) -> None:
    hook.told = body
    channel = make(hook.url("/x"))
    assert (await channel.refresh()).outcome == "delivered"
    assert not channel._known
