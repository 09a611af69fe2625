"""Which messages of `churn.alerts` a channel tells people, and why it keeps the others to itself.

In this order:

    past         decided while history was loaded: nobody can act on it any more
    holdout      a customer who is left alone, so that uplift can be measured: a person who reads of it would act
    below_tier   less pressing than the channel's least tier, now and before; who was told of an alert is told of its end
    repeat       told already (see `Recent`)
    told         everything else; ingestion alerts and digests always, alerts about the model unless they are past
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from alerts.alert import Alert, Digest, Message, ModelAlert
from detectors.actions import TIERS, Tier

Selected = Literal["told", "past", "holdout", "below_tier", "repeat"]


class Recent:
    """The ids that were added last, at most `most` of them, so that a message which a crash repeats is told once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, known: str) -> bool:
        return known in self._ids

    def add(self, known: str) -> None:
        """Remember it; the oldest is forgotten where there are too many."""
        self._ids[known] = None
        self._ids.move_to_end(known)
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)


def select(message: Message, least_tier: Tier) -> Selected:
    """Whether a channel tells this message; never `repeat`, which is a matter of what it told before.

    least_tier   watch, high or critical
    """
    if isinstance(message, Alert | ModelAlert) and not message.live:
        return "past"
    if not isinstance(message, Alert):
        return "told"
    if message.holdout:
        return "holdout"
    pressing = max(TIERS.index(message.tier), TIERS.index(message.previous_tier))
    return "below_tier" if pressing < TIERS.index(least_tier) else "told"


def known_as(message: Message) -> str:
    """The id by which a repeated message is known.

    >>> known_as(Digest(digest_id="d", kind="catch_up", since="", until="", alerts=0, by_tier={}, top=[]))
    'd'
    """
    return message.digest_id if isinstance(message, Digest) else message.message_id
