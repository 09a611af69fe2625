"""An alert as people read it: one line to scan, a card to act on. Plain text; whoever prints it may colour it.

Ids and texts come from outside, so whatever is not printable (line breaks, terminal escapes, direction marks) is
shown as \\uXXXX: one alert is one line, whatever a customer is called.
"""

from __future__ import annotations

from alerts.alert import Alert, Digest, IngestionAlert, Message, ModelAlert, ValueAtStake
from alerts.lost_events import EVENTS_LOST
from detectors.actions import TIERS

MINOR_DIGITS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""Decimal digits of a currency's minor unit where they are not two (ISO 4217); the same as the money of the events."""

LABEL_WIDTH = 8
DIGEST_KINDS = {
    "catch_up": "left by history",
    "overflow": "not told singly",
}


def headline(alert: Alert) -> str:
    """One line: how bad, who, how likely, and what says so."""
    label = "RESOLVED" if alert.status == "resolved" else alert.tier.upper()
    return _plain(f"{label}  {alert.customer_id}  risk {alert.risk:.2f}  {_news(alert)}".rstrip())


def card(alert: Alert) -> str:
    """The headline and, below it, a line each for what a person decides by. Ends without a line break."""
    said = 0 if alert.status == "resolved" else 1  # reasons that the headline has given
    lines = [(_plain(reason.text), "why") for reason in alert.reasons[said:]]
    lines += [(_cause(alert), "cause")] if alert.cause else []
    lines += [(_plain(alert.suggested_action), "do")] if alert.suggested_action else []
    lines += [("leave alone: held out, so that uplift can be measured", "holdout")] if alert.holdout else []
    lines += [
        (f"{money(alert.value_at_stake)} {_plain(alert.value_at_stake.basis)}", "at stake"),
        (_segment(alert), "segment"),
        (f"{_risk_of(alert)} in the next {alert.horizon_days:g} days: {alert.risk:.0%}{_silence(alert)}", "risk"),
        (f"{alert.episode_started_at}, now {alert.as_of}{_event(alert)}", "since"),
        (f"{alert.message_id}  model {_plain(alert.model.name)} {_plain(alert.model.version)}  config {alert.config_hash}", "id"),
    ]
    return "\n".join([headline(alert), *_labelled(lines)])


def ingestion_line(alert: IngestionAlert) -> str:
    """One line: which partition's data are missing since when, and what says so."""
    label = "RESOLVED" if alert.status == "resolved" else "EVENTS LOST" if alert.reason == EVENTS_LOST else "NO DATA"
    return _plain(f"{label}  partition {alert.partition}  since {alert.since}  {alert.text}")


def model_line(alert: ModelAlert) -> str:
    """One line: what scores from now on, and why."""
    label = "MODEL SERVES AGAIN" if alert.status == "resolved" else "MODEL DEMOTED"
    return _plain(f"{label}  {alert.model} scores  since {alert.as_of}  {alert.text}")


def digest_line(digest: Digest) -> str:
    """One line: how many alerts it stands for, and of which tiers."""
    tiers = [f"{digest.by_tier[tier]} {tier}" for tier in reversed(TIERS) if digest.by_tier.get(tier)]
    count = f"{digest.alerts:,} alert{'' if digest.alerts == 1 else 's'}"
    return "  ".join(["DIGEST", f"{count} {DIGEST_KINDS[digest.kind]}", ", ".join(tiers)]).rstrip()


def digest_card(digest: Digest) -> str:
    """The line and, below it, the most pressing by name. Ends without a line break."""
    lines = [(_plain(entry.text), "top") for entry in digest.top]
    lines += [(f"{digest.since} to {digest.until}; every one is on churn.alerts", "from")]
    return "\n".join([digest_line(digest), *_labelled([*lines, (digest.digest_id, "id")])])


def title_and_body(message: Message) -> tuple[str, str]:
    """Any message for a receiver that has a place for a title: the one line, and what stands below it."""
    if isinstance(message, IngestionAlert):
        return ingestion_line(message), f"{_plain(message.reason)}, as of {message.as_of}"
    if isinstance(message, ModelAlert):
        return model_line(message), f"{message.message_id}, as of {message.as_of}"
    title, _, body = (digest_card(message) if isinstance(message, Digest) else card(message)).partition("\n")
    return title, body


def cause_line(cause: str, why: str, confidence: float | None, controllable: bool | None) -> str:
    """A probable cause, how sure that is, whether the business can act on it, and what says so.

    >>> cause_line("price", "learnt: today's complaint reads as price", 0.8, True)
    "price (80% sure, controllable): learnt: today's complaint reads as price"
    """
    sure = [] if confidence is None else [f"{confidence:.0%} sure"]
    control = [] if controllable is None else ["controllable" if controllable else "not controllable"]
    in_brackets = ", ".join(sure + control)
    told = f"{cause} ({in_brackets})" if in_brackets else cause
    return _plain(f"{told}: {why}" if why else told)


def money(value: ValueAtStake) -> str:
    """An amount in whole units of its currency.

    >>> money(ValueAtStake(123450, "USD", "")), money(ValueAtStake(-5, "USD", "")), money(ValueAtStake(1200, "JPY", ""))
    ('1,234.50 USD', '-0.05 USD', '1,200 JPY')
    """
    digits = MINOR_DIGITS.get(value.currency, 2)
    whole, rest = divmod(abs(value.amount_minor), 10**digits)
    decimals = f".{rest:0{digits}d}" if digits else ""
    return f"{'-' if value.amount_minor < 0 else ''}{whole:,}{decimals} {_plain(value.currency)}"


def _news(alert: Alert) -> str:
    why = alert.reasons[0].text if alert.reasons else ""
    if alert.decision == "resolved_returned":
        return f"was {alert.previous_tier}; bought again"
    if alert.decision == "resolved_risk_fell":
        return f"was {alert.previous_tier}; the risk fell"
    if alert.decision == "resolved_cancelled":
        return f"was {alert.previous_tier}; the customer has cancelled"
    if alert.decision == "fired":
        return why
    direction = "up" if alert.decision == "escalated" else "down"
    return f"{direction} from {alert.previous_tier}" + (f"; {why}" if why else "")


def _risk_of(alert: Alert) -> str:
    return "no login" if alert.risk_of == "no_login" else "no purchase"


def _cause(alert: Alert) -> str:
    return cause_line(alert.cause, alert.cause_why, alert.cause_confidence, alert.controllable)


def _segment(alert: Alert) -> str:
    scores = "" if alert.rfm is None else " (R{} F{} M{})".format(*alert.rfm)
    return _plain(alert.segment) + scores


def _silence(alert: Alert) -> str:
    return "" if alert.idle_risk is None else f"; silence against own rhythm: {alert.idle_risk:.0%}"


def _event(alert: Alert) -> str:
    return ", by silence" if alert.event is None else _plain(f", by {alert.event.kind} {alert.event.event_id}")


def _labelled(lines: list[tuple[str, str]]) -> list[str]:
    """Lines with their labels in a column; a label is not repeated below itself."""
    labels = [label if k == 0 or lines[k - 1][1] != label else "" for k, (_, label) in enumerate(lines)]
    return [f"  {label:<{LABEL_WIDTH}}  {text}" for label, (text, _) in zip(labels, lines, strict=True)]


def _plain(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
