"""What to do about a customer at risk: one sentence for a person, by tier and probable cause.

Money is offered late and rarely: an offer can push out who would have stayed (Ascarza 2018). Where the cause cannot be
controlled, the advice is to leave the customer in peace.
"""

from __future__ import annotations

from typing import Literal, get_args

from detectors.causes import CauseClass

NO_ACTION = "No action."

Tier = Literal["none", "watch", "high", "critical"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""Names of the tiers 0 to 3."""

_ACTIONS: dict[CauseClass, tuple[str, str, str]] = {  # watch, high, critical
    "product": (
        "Note what was wrong with the goods; watch the next order.",
        "Ask what was wrong with the goods and propose a fitting replacement.",
        "Call about the goods: settle what was wrong, and propose a replacement in person.",
    ),
    "price": (
        "Show what fits the customer's budget; no discount yet.",
        "Propose a cheaper fitting product or a bundle.",
        "Make one personal offer, within the margin, with an end date.",
    ),
    "service": (
        "Check that the complaint was answered.",
        "Write to the customer: what went wrong and what was done about it.",
        "Call today: settle the complaint, then confirm in writing.",
    ),
    "benefit": (
        "Remind the customer of benefits not used.",
        "Show which benefit suits the way this customer buys.",
        "Grant a benefit that this customer would use; say why.",
    ),
    "policy": (
        "Note which rule stood in the way.",
        "Explain the rule, or make an exception where it does no harm.",
        "Let somebody who may decide make an exception, and tell the customer.",
    ),
    "industry": (
        "Watch; the whole trade is moving.",
        "Ask how the customer's needs have changed.",
        "Talk about what the customer will need next; no discount.",
    ),
    "natural": (
        "Leave in peace.",
        "Leave in peace; keep the door open.",
        "Leave in peace; say thank you and keep the door open.",
    ),
    "unknown": (
        "Watch; no contact yet.",
        "Send a personal reminder without a discount.",
        "Ask in person what is missing before offering anything.",
    ),
}


def suggested_action(tier: int, cause: CauseClass) -> str:
    """One sentence in the imperative.

    tier    0 none, 1 watch, 2 high, 3 critical; at 0 there is nothing to do
    cause   one of `causes.CAUSE_CLASSES`
    Raises ValueError for any other tier or cause.

    >>> suggested_action(3, "service")
    'Call today: settle the complaint, then confirm in writing.'
    """
    if tier not in range(len(TIERS)):
        raise ValueError(f"tier = {tier}: must be one of {', '.join(f'{n} ({name})' for n, name in enumerate(TIERS))}")
    if cause not in _ACTIONS:
        raise ValueError(f"cause = {cause!r}: must be one of {', '.join(_ACTIONS)}")
    return _ACTIONS[cause][tier - 1] if tier else NO_ACTION
