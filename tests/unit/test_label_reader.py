"""A record of churn.labels that cannot be learnt from: what is told of it, and what of it counts all the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter

from detectors.model_inputs import INPUTS
from streams import labels
from streams.columns import DAY_MS
from streams.label_order import LabelOrder, NotPushed
from streams.labels import LabelMessage, encode_labels, entries
from streams.pending import unpack_inputs
from streams.runtime.label_reader import Refused, read_labels
from streams.runtime.topics import LABELS
from tests.support.learners import DAY_0, RULES, some_labels
from tests.support.records import FakeRecord

REACHED_MS = DAY_0 * DAY_MS


def message(*, history: bool = True, reached_ms: int = REACHED_MS) -> LabelMessage:
    told = entries(some_labels(DAY_0, 3))
    return LabelMessage(
        partition=0, number=0, history=history, reached_ms=reached_ms, horizon_days=RULES.horizon_days, labels=told
    )


def with_label(**changes: Any) -> LabelMessage:
    one = message()
    return msgspec.structs.replace(one, labels=[msgspec.structs.replace(one.labels[0], **changes), *one.labels[1:]])


def with_input(name: str, value: float) -> LabelMessage:
    labels = some_labels(DAY_0, 3)
    labels.inputs[1, INPUTS.index(name)] = value
    return msgspec.structs.replace(message(), labels=entries(labels))


def read(one: LabelMessage | bytes) -> tuple[LabelMessage | None, float]:
    counter = Counter("refused", "so many", registry=CollectorRegistry())
    value = one if isinstance(one, bytes) else encode_labels(one)
    found = read_labels(FakeRecord(LABELS, 0, 77, 0, 1, b"0", value), Refused(counter), RULES)
    return found, counter._value.get()


CASES = [
    (with_input("spent_minor", float("nan")), "spent_minor = nan in row 1: must be 0 or more and finite"),
    (with_input("idle_days", -5.0), "idle_days = -5 in row 1: must be 0 or more and finite"),
    (with_input("repeat_days", 50_000.0), "repeat_days = 50000 in row 1: must be 43830 at most"),
    (with_input("between_days", 4_000.0), "between_days = 4000 in row 1: must not be above observed_days"),
    (with_label(known_ms=2**61), "Expected `int` <= 4102444799999 - at `$.labels[0].known_ms`"),
    (with_label(at_ms=10**30), "- at `$.labels[0].at_ms`"),
    (with_label(at_ms=REACHED_MS + 1), f"at_ms = {REACHED_MS + 1} in row 0: its outcome was known at {REACHED_MS}"),
    (with_label(at_ms=REACHED_MS - 13 * DAY_MS), f"known_ms = {REACHED_MS} in row 0: with a horizon of 4 days it is known at"),
]


@pytest.mark.parametrize(("one", "why"), CASES, ids=[why[:20] for _, why in CASES])
def test_field_and_value_are_told_with_the_offset_and_how_far_its_worker_has_come_counts(
    one: LabelMessage, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, refused = read(one)
    told = capsys.readouterr().out
    assert why in told
    assert "77" in told
    assert refused == 1
    assert found is not None
    assert (found.partition, found.history, found.reached_ms) == (0, True, REACHED_MS)
    assert (found.labels, found.scored) == ([], None)


@pytest.mark.parametrize("one", [b"", b"{}", b"\xff", b"[" * 100_000, message(reached_ms=10**30), message(reached_ms=-1)])
def test_where_not_even_that_can_be_read_it_is_none(one: LabelMessage | bytes) -> None:
    assert read(one) == (None, 1)


@pytest.mark.parametrize("days", [0, 8, 9])
def test_live_nothing_is_known_long_before_its_worker_has_come_there(days: int) -> None:
    found, refused = read(message(history=False, reached_ms=REACHED_MS - days * DAY_MS))
    assert found is not None
    assert (len(found.labels), refused) == ((0, 1) if days == 9 else (3, 0))


@pytest.mark.parametrize("history", [False, True])
def test_live_what_the_clock_held_back_for_long_is_learnt_when_it_is_let_go(history: bool) -> None:
    """A worker dates it by its watermark then, however long after the horizon that is."""
    held = with_label(at_ms=REACHED_MS - 60 * DAY_MS)
    found, refused = read(msgspec.structs.replace(held, history=history))
    assert found is not None
    assert (len(found.labels), refused) == ((0, 1) if history else (3, 0))


UNTOLD = [
    ("known long after ours is over, and the lateness", {"at_ms": REACHED_MS - 13 * DAY_MS, "left": True}, False),
    ("known as late as may be", {"at_ms": REACHED_MS - 12 * DAY_MS, "left": True}, True),
    ("stayed, before ours is over", {"at_ms": REACHED_MS - 4 * DAY_MS + 1, "left": False}, False),
    ("stayed, when ours is over", {"at_ms": REACHED_MS - 4 * DAY_MS, "left": False}, True),
    ("left, before ours is over: may have cancelled", {"at_ms": REACHED_MS - DAY_MS, "left": True}, True),
]


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize(("changes", "believed"), [case[1:] for case in UNTOLD], ids=[case[0] for case in UNTOLD])
def test_of_what_an_earlier_build_tells_without_its_horizon_what_cannot_be_of_ours_is_no_alarm_and_not_learnt(
    changes: dict[str, Any], believed: bool, history: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    one = msgspec.structs.replace(with_label(**changes), history=history, horizon_days=msgspec.UNSET)
    found, refused = read(one)
    assert found is not None
    assert (len(found.labels), found.reached_ms, refused) == (3 if believed else 0, REACHED_MS, 0)
    assert capsys.readouterr().out == ""


def test_once_all_is_read_it_is_told_what_the_outcomes_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    counter = Counter("refused", "so many", registry=CollectorRegistry())
    refused = Refused(counter)
    refused.caught_up()
    one = msgspec.structs.replace(with_label(at_ms=REACHED_MS, left=False), horizon_days=msgspec.UNSET)
    read_labels(FakeRecord(LABELS, 0, 77, 0, 1, b"0", encode_labels(one)), refused, RULES)
    assert "outcomes of a horizon that is not told, and is not of 4 days" in capsys.readouterr().out
    assert counter._value.get() == 1


def test_what_reaches_the_order_unread_is_not_pushed_either() -> None:
    for one in (*(case for case, _ in CASES[:7]), message(reached_ms=10**30), msgspec.structs.replace(message(), partition=3)):
        order = LabelOrder(1)
        before = order.to_bytes()
        with pytest.raises(NotPushed):
            order.push(0, one)
        assert order.to_bytes() == before
        assert (order.loading, order.waits_for()) == (False, [])


def test_what_was_read_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(labels, "unpack_inputs", lambda rows: asked.append(len(rows)) or unpack_inputs(rows))
    found, _ = read(message())
    (released,) = LabelOrder(1).push(0, found)
    assert (len(released.labels), asked) == (3, [3])
    assert found is not None
    assert len(found.without_rows().rows[0]) == 0, "what was decoded does not go along"
