"""Whatever the network and the server do to commits, there is one truth; and the checker that says so finds planted bugs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from streams.runtime.redis_wire import Script
from tests.support.redis_servers import RunningRedis
from tests.support.store_machine import StoreMachine, leave, redis_case, side_by_side
from tests.support.store_truth import Message
from tests.support.store_world import World

pytestmark = pytest.mark.timeout(180)


def test_one_truth_whatever_is_lost_late_or_sent_twice(real_redis: RunningRedis) -> None:
    """On Redis and on the fake side by side."""
    run_state_machine_as_test(
        lambda: StoreMachine(side_by_side(real_redis)), settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )


FENCE = "if stored[1] ~= epoch or stored[2] ~= nonce then"
NUMBER = "if tonumber(stored_seq) + 1 ~= tonumber(seq) then return refused end\nif follows and follows ~= (stored[4] or '') then"
"""The number, and the commit that is followed: a wrong number alone is refused by the other."""
APPEND = "  redis.call('XADD', OUTBOX, id, 't', entries[i + 1], 'k', entries[i + 2], 'v', entries[i + 3])\n"
EARLY = "for i = 1, #entries, 4 do redis.call('XADD', OUTBOX, '*', 't', 't', 'k', entries[i + 2], 'v', entries[i + 3]) end\n"
PLANTED = {
    "no fence": ("_commit", "commit", FENCE, "if not stored[1] then"),
    "a retry is not recognised": ("_commit", "commit", "then return { 'mine' } end", "then end"),
    "the number is one too high": ("_commit", "commit", NUMBER, "if tonumber(stored_seq) + 2 ~= tonumber(seq) then"),
    "a number too low is taken": ("_commit", "commit", NUMBER, "if tonumber(stored_seq) + 1 < tonumber(seq) then"),
    "a gap is taken": ("_commit", "commit", NUMBER, "if tonumber(stored_seq) + 1 > tonumber(seq) then"),
    "the outbox before the fence": ("_commit", "commit", "-- The fence.\n", EARLY),
    "the outbox forgets": ("_commit", "commit", APPEND, "  if i == 1 then\n" + APPEND + "  end\n"),
    "looks stay": ("_commit", "commit", "redis.call('ZREM', DUE", "redis.call('ZREM', RISK"),
    "triggers are forgotten a second late": ("_commit", "commit", "'(%.0f', forget_before_s", "'(%.0f', forget_before_s - 1"),
    "an older generation takes over": ("_take", "take_epoch", "tonumber(stored[1]) > tonumber(generation)", "false"),
    "the same epoch again": ("_take", "take_epoch", "redis.call('HINCRBY', META, 'epoch', 1)", ""),
    "a retry takes once more": ("_take", "take_epoch", "if stored[1] ~= generation or stored[5] ~= nonce then", "if true then"),
    "anyone empties the outbox": ("_ack", "ack_outbox", "if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then", "if false then"),
    "a reset fences nobody": ("_reset", "reset_epoch", "'nonce', '', ", ""),
}  # fmt: skip


QUICK = settings(
    max_examples=80, stateful_step_count=40, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
)  # fmt: skip
"""The same histories for every bug."""


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, real_redis: RunningRedis) -> None:
    """By what the world expects alone: the fake is not asked."""
    attribute, name, right, wrong = PLANTED[bug]
    with pytest.raises(AssertionError):
        run_state_machine_as_test(on_redis(real_redis, attribute, name, right, wrong), settings=QUICK)


def test_where_none_is_planted_none_is_found(real_redis: RunningRedis) -> None:
    """In the very histories in which those are found."""
    run_state_machine_as_test(on_redis(real_redis, "_commit", "commit", FENCE, FENCE), settings=QUICK)


def test_two_epochs_of_one_number_are_told_apart(real_redis: RunningRedis) -> None:
    """By their nonce alone, after the server has forgotten the first: too rare to be met by chance."""
    number_is_enough = planted("commit", FENCE, "if stored[1] ~= epoch then")
    right, wrong = redis_case(real_redis), redis_case(real_redis, _commit=number_is_enough)
    with asyncio.Runner() as runner:
        first_is_late(World([right], runner))
        with pytest.raises(AssertionError, match="owns nothing and has written"):
            first_is_late(World([wrong], runner))
        runner.run(leave(right))
        runner.run(leave(wrong))


def first_is_late(world: World) -> None:
    """A commit of the first owner of epoch 2 arrives under the second one."""
    before, first, second = (world.new(name, generation) for generation, name in enumerate("xyz"))
    world.deliver(Message(before, None), heard=True)
    world.save()
    world.deliver(Message(first, None), heard=True)
    late = world.compute(first, customers=2, entries=1, forget=False)
    world.go_back()
    world.deliver(Message(second, None), heard=True)
    assert (first.epoch, second.epoch) == (2, 2)
    world.deliver(Message(first, late), heard=False)


def on_redis(server: RunningRedis, attribute: str, name: str, right: str, wrong: str) -> Callable[[], StoreMachine]:
    """Redis alone, with one script in which `wrong` stands for `right`."""
    script = planted(name, right, wrong)
    return lambda: StoreMachine(lambda: [redis_case(server, **{attribute: script})])


def planted(name: str, right: str, wrong: str) -> Script:
    """The script with `wrong` in place of `right`."""
    script = Script(name)
    text = script.source.decode()
    if text.count(right) != 1:  # no AssertionError: for one the bug would pass for found
        raise LookupError(f"{name}.lua has changed, plant the bug anew: {right}")
    script.source = text.replace(right, wrong).encode()
    script.sha = hashlib.sha1(script.source, usedforsecurity=False).hexdigest()
    return script
