"""The gate: the champion serves while it is worth it, and the closed form where it is not.

    waiting ──▶ serving ◀──▶ demoted

Two accounts of its log loss against the closed form's and idle time's (see `evidence`):

    fresh    each label as the champion stands just before it learns it. Without the shift, which is about the customers of
             today: the labels' own level is what it is just learning. There from the first label on, but flattering, for it
             has learnt from labels whose outcomes lie in the same weeks
    record   what it said when the snapshots were taken, as it served or would have, shift included; of snapshots since it
             first served. The truth about service, and a horizon old

    serve     fresh says enough (at least `min_each` labels of both outcomes over at least `min_days`, since labels of one day
              share its weather), and the champion is above no baseline there, nor in the record where that says enough
    demote    it is above one by more than `tolerance`, in either; or fresh labels of either outcome have run short over a
              whole window
    recover   as serve

Log loss, since at the first cut-offs a gain in ranking is small and a wrong level does more harm, which the record tells: a
learner whose labels are a horizon old can rank better and still say worse risks. Two things keep the gate from flapping: the
tolerance, and at least `settle_labels` labels between two changes.

A person's word stands above: frozen (what serves stays as it is) and rolled back (an earlier model serves). The gate goes on
judging beneath, so that it knows where it stands on release.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from detectors.evidence import BASELINES, Evidence
from detectors.measures import NANO


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


@dataclass(frozen=True, slots=True)
class GateRules:
    """min_each        labels of each outcome without which nothing is said, >= 1
    min_days        and days over which they must lie, >= 0
    settle_labels   labels between two changes, >= 0
    tolerance       how far above a baseline's log loss a serving champion may be, nats, >= 0
    Raises ValueError where these do not hold.
    """

    min_each: int = 100
    min_days: int = 30
    settle_labels: int = 500
    tolerance: float = 0.002

    def __post_init__(self) -> None:
        if self.min_each < 1:
            raise ValueError(f"min_each = {self.min_each}: must be 1 or more labels of each outcome")
        if self.min_days < 0 or self.settle_labels < 0 or not self.tolerance >= 0.0:
            raise ValueError("min_days, settle_labels and tolerance must be 0 or more")


class Gate(msgspec.Struct, frozen=True):
    """standing     by the evidence
    labels       seen so far
    changed_at   `labels` at the last change of the standing
    hold         a person's word above it; None where there is none
    """

    standing: Standing = Standing.WAITING
    labels: int = 0
    changed_at: int = 0
    hold: Hold | None = None


class Accounts(NamedTuple):
    """What speaks for and against the champion."""

    fresh: Evidence
    record: Evidence


class Verdict(msgspec.Struct, frozen=True):
    """Why the champion may serve or not, and the numbers in words."""

    reason: Reason
    text: str


def judge(gate: Gate, accounts: Accounts, day: int, rules: GateRules) -> Gate:
    """The gate after a look at the accounts on `day` (days since 1970).

    >>> accounts = Accounts(Evidence(window_days=90), Evidence(window_days=90))
    >>> for left in (0, 1): accounts.fresh.add(10, left, 500, 600, 700)
    >>> judge(Gate(labels=2), accounts, 40, GateRules(min_each=1)).standing
    <Standing.SERVING: 'serving'>
    """
    standing = _next(gate, accounts, day, rules)
    if standing is gate.standing:
        return gate
    return msgspec.structs.replace(gate, standing=standing, changed_at=gate.labels)


def verdict(accounts: Accounts, day: int, rules: GateRules, tolerance: float = 0.0) -> Verdict:
    """What the accounts say of the champion on `day`; above a baseline by `tolerance` nats is not yet above it."""
    reason, told_by = _reason(accounts, day, rules, round(tolerance * NANO))
    numbers = "; ".join(_numbers(name, accounts, day, rules) for name in accounts._fields)
    return Verdict(reason, f"{_WORDS[reason]} {_BY[told_by]}; {numbers}".replace(" ;", ";"))


def _next(gate: Gate, accounts: Accounts, day: int, rules: GateRules) -> Standing:
    """The standing that follows, cheap where nothing changes: this runs at every label."""
    serves = gate.standing is Standing.SERVING
    reason, _ = _reason(accounts, day, rules, round(rules.tolerance * NANO) if serves else 0)
    if reason is Reason.FEW_LABELS:
        lapsed = serves and accounts.fresh.spanned(day) >= accounts.fresh.window_days
        return Standing.DEMOTED if lapsed else gate.standing
    if gate.standing is Standing.WAITING:
        return Standing.SERVING if reason is Reason.NOT_ABOVE else Standing.WAITING
    if gate.labels - gate.changed_at < rules.settle_labels:
        return gate.standing
    return Standing.SERVING if reason is Reason.NOT_ABOVE else Standing.DEMOTED


def _reason(accounts: Accounts, day: int, rules: GateRules, tolerance_nano: int) -> tuple[Reason, str]:
    """The reason, and by which account where one says so."""
    if not _says_enough(accounts.fresh, day, rules):
        return Reason.FEW_LABELS, ""
    for name, evidence in zip(Accounts._fields, accounts, strict=True):
        if _says_enough(evidence, day, rules):
            total = evidence.total
            allowed = total.champion - tolerance_nano * total.labels
            if allowed > total.closed_form:
                return Reason.ABOVE_CLOSED_FORM, name
            if allowed > total.idle:
                return Reason.ABOVE_IDLE, name
    return Reason.NOT_ABOVE, ""


def _says_enough(evidence: Evidence, day: int, rules: GateRules) -> bool:
    return evidence.fewest >= rules.min_each and evidence.spanned(day) >= rules.min_days


_WORDS = {
    Reason.NOT_ABOVE: "the champion's log loss is above no baseline's",
    Reason.FEW_LABELS: "there are too few labels to say",
    Reason.ABOVE_CLOSED_FORM: "the champion's log loss is above the closed form's",
    Reason.ABOVE_IDLE: "the champion's log loss is above idle time's",
}
_BY = {"": "", "fresh": "on fresh labels", "record": "in its record"}


def _numbers(name: str, accounts: Accounts, day: int, rules: GateRules) -> str:
    evidence: Evidence = getattr(accounts, name)
    total = evidence.total
    counted = f"{total.labels} labels of {min(evidence.spanned(day), evidence.window_days)} days, {total.left} left"
    if not _says_enough(evidence, day, rules):
        return f"{name}: {counted} (at least {rules.min_each} of each kind over {rules.min_days} days are wanted)"
    losses = ", ".join(f"{model.replace('_', ' ')} {evidence.mean(model):.4f}" for model in ("champion", *BASELINES))
    return f"{name}: {losses} nats over {counted}"
