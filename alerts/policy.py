"""From risk to decision: which customers start, change or end an alert, and why each of the others does not.

    ended -> quality gate -> hysteresis -> consecutive breaches -> cool-down        (one rule a file, in alerts/stages/)

Every evaluated customer gets exactly one reason; it is the log field, the metric label and the test's expected
value. State is a small record that is part of the customer's own.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.rules import PolicyRules
from alerts.stages.breaches import extend
from alerts.stages.cool_down import cooling
from alerts.stages.ended import unless_ended
from alerts.stages.hysteresis import kept_tier, proposed_tier
from alerts.stages.quality_gate import admitted

POLICY_STATE = np.dtype(
    [
        ("tier", "u1"),  # tier now alerted, 0 none .. 3 critical
        ("candidate", "u1"),  # lowest tier that the current streak has breached, 1-3; 0 = no streak
        ("breaches", "u1"),  # consecutive breaches that counted, 0..rules.breaches
        ("transition", "u2"),  # number of the last message of the current or last episode, from 1; stops at 65535
        ("breach_s", "u4"),  # event time of the last counted breach, s since 1970 UTC; 0 = no streak
        ("episode_s", "u4"),  # event time at which the current or last episode fired, s; above that of the one before; 0 = none
        ("cool_from_s", "u4"),  # event time at which the last episode ended, or the relationship, s; 0 = neither has
    ]
)
"""What the policy remembers of one customer: 17 bytes, packed; all zero for a new one."""


class ReasonCode(IntEnum):
    """Why an evaluation ended as it did. Closed: the numbers may be stored and the names are metric labels."""

    BELOW_THRESHOLD = 0  # no alert, and risk below every fire line
    TOO_FEW_PURCHASES = 1  # the quality gate
    AWAITING_BREACHES = 2  # a breach that counts, more are needed
    BREACH_TOO_SOON = 3  # a breach too close to the last that counted
    COOLING_DOWN = 4  # enough breaches, but the last episode ended too recently
    STEADY = 5  # alerted, and risk says the same tier
    HELD_BY_HYSTERESIS = 6  # alerted, risk below the fire line and not below the release line
    FIRED = 7  # an episode begins
    ESCALATED = 8  # a higher tier
    DEESCALATED = 9  # a lower tier
    RESOLVED_RETURNED = 10  # the episode ends with a purchase
    RESOLVED_RISK_FELL = 11  # the episode ends otherwise
    RESOLVED_CANCELLED = 12  # the episode ends with the relationship
    CANCELLED = 13  # no alert, and none while the relationship is ended


RESOLUTIONS = frozenset({ReasonCode.RESOLVED_RETURNED, ReasonCode.RESOLVED_RISK_FELL, ReasonCode.RESOLVED_CANCELLED})

TRANSITIONS = frozenset({ReasonCode.FIRED, ReasonCode.ESCALATED, ReasonCode.DEESCALATED}) | RESOLUTIONS
"""The reasons that send a message."""

SENDS = np.array([code in TRANSITIONS for code in ReasonCode])
"""SENDS[reason] is True where a message leaves; indexable by a whole column of reasons."""

_WHOLE = np.dtype(f"V{POLICY_STATE.itemsize}")
_U1, _R = np.uint8, ReasonCode
_CODES = tuple(ReasonCode)
_AT_REST = np.array(  # [tier * 4 + proposed], for who neither rises nor falls
    [
        _R.BELOW_THRESHOLD if tier == 0 else _R.STEADY if proposed == tier else _R.HELD_BY_HYSTERESIS
        for tier in range(4)
        for proposed in range(4)
    ],
    _U1,
)
_MAX_S, _MAX_TRANSITION = 2**32 - 1, 2**16 - 1


class Transition(NamedTuple):
    """One customer's change of tier that sends a message.

    decision        a member of TRANSITIONS
    tier            tier from now on, 0-3;  previous_tier   until now, 0-3
    number          of the message within the episode, from 1
    episode_s       event time at which the episode began, s since 1970 UTC
    """

    decision: ReasonCode
    tier: int
    previous_tier: int
    number: int
    episode_s: int


class Decisions(NamedTuple):
    """What was decided, one entry a row.

    state           POLICY_STATE after the evaluation, an array of its own
    reason          ReasonCode, uint8
    previous_tier   tier before the evaluation, 0-3, uint8
    wants_look_ms   event time at which the policy must see the customer again, ms; 0 = no wish
    """

    state: NDArray[np.void]
    reason: NDArray[np.uint8]
    previous_tier: NDArray[np.uint8]
    wants_look_ms: NDArray[np.int64]

    def senders(self) -> NDArray[np.intp]:
        """Rows that send a message, ascending."""
        return np.flatnonzero(SENDS[self.reason])

    def transition(self, row: int) -> Transition:
        """The message of one of `senders()`."""
        return self.transitions(np.array([row]))[0]

    def transitions(self, rows: NDArray[np.intp]) -> list[Transition]:
        """The messages of these of `senders()`, in their order."""
        return transitions(_picked(self.state, rows), self.reason[rows], self.previous_tier[rows])


def transitions(state: NDArray[np.void], reason: NDArray[np.uint8], previous_tier: NDArray[np.uint8]) -> list[Transition]:
    """Messages by columns: POLICY_STATE after the evaluation, why, and the tier before; one entry a message."""
    return [
        Transition(_CODES[code], tier, previous, number, episode_s)
        for code, previous, (tier, _, _, number, _, episode_s, _) in zip(
            reason.tolist(), previous_tier.tolist(), state.tolist(), strict=True
        )
    ]


def decide(
    state: NDArray[np.void],
    risk_bp: NDArray[np.uint16],
    as_of_ms: NDArray[np.int64],
    purchases: NDArray[np.integer],
    by_purchase: NDArray[np.bool_],
    rules: PolicyRules,
    ended: NDArray[np.bool_] | None = None,
) -> Decisions:
    """Evaluate n different customers, one a row. Pure; the arguments are left as they are.

    state         POLICY_STATE before
    risk_bp       P(no purchase in the horizon), 1e-4, 0..10000
    as_of_ms      event time of the evaluation, ms since 1970 UTC; compared with stored times in whole seconds
    purchases     purchase occasions for life
    by_purchase   True where a purchase caused the evaluation
    ended         True where the customer has ended the relationship; `cool_from_s` is the time of that. None: nobody has

    Rising takes `rules.breaches` breaches (and from tier 0 the cool-down); falling is immediate. An evaluation that
    is no breach ends the streak. A look is wanted when the next breach may count (AWAITING_BREACHES: spacing after
    this one; BREACH_TOO_SOON: after the last that counted) and when the cool-down ends (COOLING_DOWN).
    Raises ValueError where the columns differ in length.
    """
    n = len(state)
    ended = np.zeros(n, np.bool_) if ended is None else ended
    if not (len(risk_bp) == len(as_of_ms) == len(purchases) == len(by_purchase) == len(ended) == n):
        raise ValueError(f"columns of {n} customers differ in length: pass one entry a customer in each")
    new, tier = copied(state), state["tier"].copy()
    new["candidate"] = new["breaches"] = new["breach_s"] = 0
    wants_look_ms = np.zeros(n, np.int64)

    proposed = unless_ended(proposed_tier(risk_bp, rules.fire_column), ended)
    kept = unless_ended(kept_tier(tier, risk_bp, rules.release_column), ended)
    enough = admitted(purchases, rules.min_purchases)
    reason = np.where(enough, _AT_REST[tier * _U1(4) + proposed], _U1(_R.TOO_FEW_PURCHASES))
    reason[ended] = _R.CANCELLED

    rising = np.flatnonzero(enough & (proposed > tier))
    if rising.size:
        risen, reason[rising], wants_look_ms[rising] = _rise(_picked(state, rising), proposed[rising], as_of_ms[rising], rules)
        _put(new, rising, risen)
    falling = np.flatnonzero(kept < tier)
    if falling.size:
        why = by_purchase[falling], ended[falling]
        fallen, reason[falling] = _fall(_picked(new, falling), kept[falling], as_of_ms[falling], *why)
        _put(new, falling, fallen)
    return Decisions(new, reason, tier, wants_look_ms)


def _rise(
    state: NDArray[np.void], proposed: NDArray[np.uint8], as_of_ms: NDArray[np.int64], rules: PolicyRules
) -> tuple[NDArray[np.void], NDArray[np.uint8], NDArray[np.int64]]:
    """Customers whose risk proposes a higher tier: (state, reason, wants_look_ms) after this breach."""
    as_of_s = _seconds(as_of_ms)
    tier, cool_from_s = state["tier"], state["cool_from_s"].astype(np.int64)
    streak = extend(
        state["candidate"], state["breaches"], state["breach_s"], proposed, as_of_s, rules.breaches, rules.breach_spacing_s
    )
    complete = streak.breaches >= rules.breaches
    held = complete & cooling(tier, cool_from_s, as_of_s, rules.cool_down_s)
    moves = complete & ~held

    again_ms = np.where(streak.counted, as_of_ms, streak.breach_s * 1000) + rules.breach_spacing_s * 1000
    wants_look_ms = np.where(held, (cool_from_s + rules.cool_down_s) * 1000, np.where(moves, 0, again_ms))
    waiting = np.where(streak.counted, _U1(_R.AWAITING_BREACHES), _U1(_R.BREACH_TOO_SOON))
    moved = np.where(tier == 0, _U1(_R.FIRED), _U1(_R.ESCALATED))
    reason = np.where(moves, moved, np.where(held, _U1(_R.COOLING_DOWN), waiting))

    fires = moves & (tier == 0)
    new = copied(state)
    new["tier"] = np.where(moves, streak.candidate, tier)
    new["candidate"] = np.where(moves, 0, streak.candidate)
    new["breaches"] = np.where(moves, 0, streak.breaches)
    new["breach_s"] = np.where(moves, 0, streak.breach_s)
    new["transition"] = np.where(fires, 1, _next_number(state, moves))
    # alert ids hang on episode_s: two episodes within one second (possible without a cool-down) must differ in it
    episode_s = state["episode_s"].astype(np.int64)
    new["episode_s"] = np.where(fires, np.minimum(np.maximum(as_of_s, episode_s + 1), _MAX_S), episode_s)
    return new, reason, wants_look_ms


def _fall(
    state: NDArray[np.void],
    kept: NDArray[np.uint8],
    as_of_ms: NDArray[np.int64],
    by_purchase: NDArray[np.bool_],
    ended: NDArray[np.bool_],
) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """Customers whose risk no longer holds their tier: (state, reason) with the tier that it does hold."""
    ends = kept == 0
    resolved = np.where(by_purchase, _U1(_R.RESOLVED_RETURNED), _U1(_R.RESOLVED_RISK_FELL))
    resolved[ended] = _R.RESOLVED_CANCELLED
    new = copied(state)
    new["tier"] = kept
    new["transition"] = _next_number(state, True)
    new["cool_from_s"] = np.where(ends & ~ended, _seconds(as_of_ms), state["cool_from_s"])
    return new, np.where(ends, resolved, _U1(_R.DEESCALATED))


def copied(state: NDArray[np.void], into: NDArray[np.void] | None = None) -> NDArray[np.void]:
    """The same states in an array of their own, or in `into`. numpy would copy field by field, 15 times slower than whole."""
    if into is None:
        return state.view(_WHOLE).copy().view(POLICY_STATE)
    into.view(_WHOLE)[:] = state.view(_WHOLE)
    return into


def _picked(state: NDArray[np.void], rows: NDArray[np.intp]) -> NDArray[np.void]:
    return state.view(_WHOLE)[rows].view(POLICY_STATE)


def _put(state: NDArray[np.void], rows: NDArray[np.intp], values: NDArray[np.void]) -> None:
    state.view(_WHOLE)[rows] = values.view(_WHOLE)


def _next_number(state: NDArray[np.void], sends: NDArray[np.bool_] | bool) -> NDArray[np.int64]:
    number: NDArray[np.int64] = state["transition"].astype(np.int64) + sends
    return np.minimum(number, _MAX_TRANSITION)


def _seconds(time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole seconds as the record can hold them; at least 1, for 0 means never."""
    return np.minimum(np.maximum(time_ms // 1000, 1), _MAX_S)
