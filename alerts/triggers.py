"""Which alerts of a step set off a play, and which do not and why.

Only messages that fire or escalate are judged. The first rule that holds is the outcome:

    past        decided about the past, while history was loaded or caught up with
    no_play     no play of the playbook is meant for this customer now
    holdout     there is one, and the customer is in the holdout; so this counts what was left undone on purpose
    too_soon    the play was triggered for this customer less than its `every_days` of event time ago
    triggered   everything else

Customers' alerts come in the order of event time, and what an earlier one sets off counts for the later ones, so the triggers do
not depend on where the alerts were cut into steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from alerts.alert import Alert
from alerts.playbook import Play, Playbook
from alerts.trigger_event import Trigger, build_trigger

DAY_S = 86_400
JUDGED = frozenset({"fired", "escalated"})


class Outcome(StrEnum):
    """Why an alert set off a play, or did not."""

    TRIGGERED = "triggered"
    TOO_SOON = "too_soon"
    HOLDOUT = "holdout"
    NO_PLAY = "no_play"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Alerts that set off their play unless it was too soon, and the outcomes of all others that were judged."""

    open: list[tuple[Alert, Play]]
    outcomes: list[Outcome]

    @property
    def names(self) -> list[str]:
        """The `memory_name` of each play and customer, once."""
        return list(dict.fromkeys(memory_name(play, alert.customer_id) for alert, play in self.open))


@dataclass(frozen=True, slots=True)
class Decided:
    """Triggers in the order of their alerts.

    triggered_s   memory_name -> event time of its last trigger here, s
    outcomes      one for each alert that was judged
    """

    triggers: list[Trigger] = field(default_factory=list)
    triggered_s: dict[str, int] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)


def memory_name(play: Play, customer_id: str) -> str:
    """Under which a trigger is remembered: play and customer. A play's name has no NUL, so no two have one name."""
    return f"{play.name}\0{customer_id}"


def candidates(alerts: Sequence[Alert], playbook: Playbook) -> Candidates:
    """What can be said of a step's alerts without knowing what was triggered before."""
    found, outcomes = [], []
    for alert in alerts:
        if alert.decision not in JUDGED:
            continue
        play = playbook.play_for(alert)
        if not alert.live:
            outcomes.append(Outcome.PAST)
        elif play is None:
            outcomes.append(Outcome.NO_PLAY)
        elif alert.holdout:
            outcomes.append(Outcome.HOLDOUT)
        else:
            found.append((alert, play))
    return Candidates(found, outcomes)


def decide(wanting: Candidates, earlier_s: Mapping[str, int], playbook: Playbook, source: str) -> Decided:
    """The triggers of a step.

    earlier_s   memory_name -> event time of the last trigger in earlier steps, s; absent: never
    source      of the events, see `Trigger`
    """
    triggers, triggered_s, outcomes = [], dict[str, int](), list(wanting.outcomes)
    playbook_hash = playbook.hash
    for alert, play in wanting.open:
        name, as_of_s = memory_name(play, alert.customer_id), _seconds(alert.as_of)
        last_s = triggered_s.get(name, earlier_s.get(name))
        if last_s is not None and as_of_s - last_s < play.every_days * DAY_S:
            outcomes.append(Outcome.TOO_SOON)
            continue
        outcomes.append(Outcome.TRIGGERED)
        triggered_s[name] = as_of_s
        triggers.append(build_trigger(alert, play, playbook_hash, source))
    return Decided(triggers, triggered_s, outcomes)


def forgettable_before_s(watermark_ms: int, playbook: Playbook) -> int:
    """Event time before which a trigger decides nothing any more, s, once every look up to the watermark has been made."""
    return watermark_ms // 1000 - playbook.longest_days * DAY_S


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp() // 1)
