"""The gate: the champion serves while it is worth it, and the closed form where it is not.

    waiting ──▶ serving ◀──▶ demoted

    serve     the evidence (see `evidence`) has at least `min_each` labels of both outcomes, and the champion's log loss in it
              is not above the closed form's nor idle time's
    demote    it is above idle time, or more than `demotion_margin` above the closed form; or labels of either outcome have run
              short over a whole window
    recover   it is not above idle time and `recovery_margin` below the closed form

Log loss, since at the first cut-offs a gain in ranking is small and a wrong level does more harm. What is compared is what
each said when the snapshot was taken, as it would have been served then, shift included: a learner whose labels are a horizon
old can rank better and still be worse. Two things keep the gate from flapping: the margins, and at least `settle_labels` labels
between two changes.

A person's word stands above: frozen (what serves stays as it is) and rolled back (an earlier model serves). The gate goes on
judging beneath, so that it knows where it stands on release.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from detectors.evidence import BASELINES, NANO, Evidence


class Standing(StrEnum):
    WAITING = "waiting"
    SERVING = "serving"
    DEMOTED = "demoted"


class Hold(StrEnum):
    FROZEN = "frozen"
    ROLLED_BACK = "rolled_back"


class Reason(StrEnum):
    NOT_ABOVE = "not_above_baselines"
    FEW_LABELS = "few_labels"
    ABOVE_CLOSED_FORM = "above_closed_form"
    ABOVE_IDLE = "above_idle"


_ABOVE = {"closed_form": Reason.ABOVE_CLOSED_FORM, "idle": Reason.ABOVE_IDLE}


@dataclass(frozen=True, slots=True)
class GateRules:
    """min_each          labels of each outcome without which nothing is said, >= 1
    settle_labels     labels between two changes, >= 0
    demotion_margin   how far above the closed form's log loss a serving champion may be, nats, >= 0: less is chance
    recovery_margin   how far below it a demoted one must be, nats, >= 0
    Raises ValueError where these do not hold.
    """

    min_each: int = 200
    settle_labels: int = 500
    demotion_margin: float = 0.002
    recovery_margin: float = 0.001

    def __post_init__(self) -> None:
        if self.min_each < 1:
            raise ValueError(f"min_each = {self.min_each}: must be 1 or more labels of each outcome")
        if self.settle_labels < 0 or not (self.recovery_margin >= 0.0 and self.demotion_margin >= 0.0):
            raise ValueError("settle_labels, demotion_margin and recovery_margin must be 0 or more")


class Gate(msgspec.Struct, frozen=True):
    """standing       by the evidence
    judged         labels at which the champion was judged so far
    changed_at     `judged` at the last change of the standing
    hold           a person's word above it; None where there is none
    """

    standing: Standing = Standing.WAITING
    judged: int = 0
    changed_at: int = 0
    hold: Hold | None = None


class Verdict(msgspec.Struct, frozen=True):
    """Why the champion may serve or not, and the numbers in words."""

    reason: Reason
    text: str


def judge(gate: Gate, evidence: Evidence, day: int, rules: GateRules) -> Gate:
    """The gate after the evidence was looked at on `day` (days since 1970).

    >>> evidence = Evidence(window_days=90)
    >>> for left in (0, 1): evidence.add(10, left, 500, 600, 700)
    >>> judge(Gate(judged=2), evidence, 10, GateRules(min_each=1)).standing
    <Standing.SERVING: 'serving'>
    """
    standing = _next(gate, evidence, day, rules)
    if standing is gate.standing:
        return gate
    return msgspec.structs.replace(gate, standing=standing, changed_at=gate.judged)


def verdict(evidence: Evidence, rules: GateRules) -> Verdict:
    """What the evidence says of the champion now, without margin and settling."""
    reason = _reason(evidence, rules, 0)
    return Verdict(reason, f"{_WORDS[reason]}; {_numbers(evidence, rules)}")


def _next(gate: Gate, evidence: Evidence, day: int, rules: GateRules) -> Standing:
    """The standing that follows, cheap where nothing changes: this runs at every label."""
    margin = {Standing.DEMOTED: rules.recovery_margin, Standing.SERVING: -rules.demotion_margin}.get(gate.standing, 0.0)
    reason = _reason(evidence, rules, round(margin * NANO))
    if reason is Reason.FEW_LABELS:
        lapsed = gate.standing is Standing.SERVING and evidence.is_full(day)
        return Standing.DEMOTED if lapsed else gate.standing
    if gate.standing is Standing.WAITING:
        return Standing.SERVING if reason is Reason.NOT_ABOVE else Standing.WAITING
    if gate.judged - gate.changed_at < rules.settle_labels:
        return gate.standing
    return Standing.SERVING if reason is Reason.NOT_ABOVE else Standing.DEMOTED


def _reason(evidence: Evidence, rules: GateRules, margin_nano: int) -> Reason:
    if evidence.fewest < rules.min_each:
        return Reason.FEW_LABELS
    total = evidence.total
    if total.champion + margin_nano * total.labels > total.closed_form:
        return Reason.ABOVE_CLOSED_FORM
    return Reason.ABOVE_IDLE if total.champion > total.idle else Reason.NOT_ABOVE


_WORDS = {
    Reason.NOT_ABOVE: "the champion's log loss is not above the baselines'",
    Reason.FEW_LABELS: "there are too few labels to say",
    Reason.ABOVE_CLOSED_FORM: "the champion's log loss is above the closed form's",
    Reason.ABOVE_IDLE: "the champion's log loss is above idle time's",
}


def _numbers(evidence: Evidence, rules: GateRules) -> str:
    total = evidence.total
    labels = f"{total.labels} labels of {evidence.window_days} days, {total.left} left (at least {rules.min_each} of each kind)"
    if not total.labels:
        return labels
    losses = ", ".join(f"{name.replace('_', ' ')} {evidence.mean(name):.4f}" for name in ("champion", *BASELINES))
    return f"{labels}: {losses} nats"
