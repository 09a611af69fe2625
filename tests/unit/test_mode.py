"""History or live: what is recorded decides, the setting says how a new partition begins."""

from __future__ import annotations

import msgspec
import pytest

from streams.inflow import InflowProfile
from streams.runtime.commits import LiveState, PastAlerts, pack_state
from streams.runtime.mode import Mode, WrongMode, check_mode, clock_of, mode_of
from streams.runtime.settings import TimeSettings
from streams.runtime.standing import standing_of
from streams.runtime.store import Meta
from streams.state import PartitionState
from tests.support.alerts import CONTEXT, an_alert

NEW = Meta()
NOW_MS = 1_700_000_000_000
CONTEXT_LIVE = msgspec.structs.replace(CONTEXT, live_after_ms=0)


def stored(live_after_ms: int | None, switched_ms: int | None = None) -> Meta:
    state = LiveState(PartitionState().to_bytes(), b"", live_after_ms=live_after_ms, switched_ms=switched_ms)
    return Meta(seq=1, state=pack_state(state))


def rules(clock: str) -> TimeSettings:
    return TimeSettings.model_validate({"clock": clock, "lateness_s": 100})


CASES = {
    "a new one, history": (NEW, "history", Mode()),
    "a new one, live: what is older than the lateness is the past": (NEW, "wall", Mode(NOW_MS - 100_000)),
    "history that is being loaded": (stored(None), "history", Mode()),
    "one that went live stays live": (stored(7, 9), "history", Mode(7, 9)),
    "one that went live, with the setting for it": (stored(7, 9), "wall", Mode(7, 9)),
    "one that was live from its beginning": (stored(7), "history", Mode(7)),
}


@pytest.mark.parametrize(("meta", "clock", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_recorded_goes_before_the_setting(meta: Meta, clock: str, expected: Mode) -> None:
    assert mode_of(meta, rules(clock), lambda: NOW_MS) == expected


def test_history_does_not_ask_what_time_it_is() -> None:
    def asked() -> int:
        raise AssertionError("the host was asked for the time")

    assert mode_of(NEW, rules("history"), asked).history
    assert mode_of(stored(None), rules("history"), asked).history


def test_only_the_switch_ends_a_history() -> None:
    with pytest.raises(WrongMode, match=r"^partition 3: time.clock is wall, .* run `churnwatch go-live`"):
        check_mode(3, stored(None), rules("wall"))
    for meta in (NEW, stored(7), stored(7, 9)):
        check_mode(3, meta, rules("wall"))
    for meta in (NEW, stored(None), stored(7, 9)):
        check_mode(3, meta, rules("history"))


@pytest.mark.parametrize(
    ("watermark_ms", "now_ms", "after_ms"),
    [
        (500, 1_000, 900),
        (900, 1_000, 900),
        (950, 1_000, 950),
        (5_000, 1_000, 5_000),
        pytest.param(500, 990, 900, id="a host whose clock is behind"),
        pytest.param(500, 8_000, 7_900, id="met long after, when the state is rebuilt"),
    ],
)
def test_the_past_ends_at_the_watermark_or_at_the_lateness_before_the_switch(
    watermark_ms: int, now_ms: int, after_ms: int
) -> None:
    assert Mode().switched(1_000, watermark_ms, 100, now_ms) == Mode(after_ms, 1_000)


def test_alerts_about_the_past_are_counted_and_the_first_is_dated() -> None:
    past, live = an_alert(), an_alert(context=CONTEXT_LIVE)
    counted = PastAlerts().and_those_of([past, past]).and_those_of([]).and_those_of([past, live])
    assert counted == PastAlerts(3, past.as_of)
    assert PastAlerts().and_those_of([live]) == PastAlerts()


def before_the_switch(inflow: bytes) -> Meta:
    """What a build wrote that did not know of it."""
    return Meta(seq=1, state=msgspec.msgpack.encode({"engine": PartitionState().to_bytes(), "inflow": inflow}))


OLD_LIVE, OLD_HISTORY = before_the_switch(InflowProfile.empty().to_bytes()), before_the_switch(b"")


def test_what_was_live_before_there_was_a_switch_is_live() -> None:
    for clock in ("wall", "history"):
        mode = mode_of(OLD_LIVE, rules(clock), lambda: NOW_MS)
        assert mode == Mode(0)
        check_mode(3, OLD_LIVE, rules(clock))
        assert clock_of(3, OLD_LIVE, mode, rules(clock), lambda: NOW_MS) is not None
    assert standing_of(3, OLD_LIVE).live


def test_a_history_that_was_being_loaded_before_there_was_a_switch_goes_on() -> None:
    assert mode_of(OLD_HISTORY, rules("history"), lambda: NOW_MS) == Mode()
    with pytest.raises(WrongMode):
        check_mode(3, OLD_HISTORY, rules("wall"))
