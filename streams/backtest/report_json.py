"""`report.json`: what a backtest found, for programs; `report_html` makes the page of it.

    file, events, customers, from, to       of the history; events are those folded, repeats left out
    seconds, events_per_s                   of the whole run, reading included; engine_events_per_s: within the engine alone
    settings, settings_hash                 all that decides, and 12 hex digits of it; the history has no part in them
    cutoffs, mean                           measures of each score at each cut-off, and their means over those that have one
    alerts                                  what the policy would have sent, and what became of it (alert_outcomes): fired,
                                            per_day and by_week up to the last event, fired_after beyond it, messages in all
    calibration … profit_assumptions        see `judged`
    learning                                what was learnt, with the measures of the learner's own report under its
                                            names, and how challengers did, where they were asked for
    policies                                alerts of each policy compared, the settings' own first

What cannot be told (nobody left, no outcome known yet) is null. Times are RFC 3339.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import msgspec
import numpy as np

from alerts.ids import rfc3339
from alerts.policy import ReasonCode
from detectors.challengers import Challengers
from detectors.learner import Learner
from detectors.learner_report import plain
from detectors.prequential import View, Who
from streams.backtest.backtesting import BacktestResult, PolicyResult
from streams.backtest.cut_offs import CutOffRules
from streams.backtest.judged import judged
from streams.backtest.judging import Judged
from streams.backtest.profit import ProfitAssumptions
from streams.backtest.scores import SCORES
from streams.backtest.settings_used import settings_hash
from streams.backtest.thresholds import Scored
from streams.columns import DAY_MS

SCHEMA = "churnwatch.backtest/1"
WEEK_MS = 7 * DAY_MS
OWN_POLICY = "settings"
"""What the settings' own policy is called beside those compared with it."""
MEASURED: Mapping[str, tuple[View, Who]] = {
    "measured": ("rolling", "all"),
    "measured_repeat_buyers": ("rolling", "repeat_buyers"),
    "measured_total": ("total", "all"),
    "measured_total_repeat_buyers": ("total", "repeat_buyers"),
}
"""What the learner measures is called as in its own report: the newest labels, or all of them; of all customers or some."""
NOTHING: Mapping[str, Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Log:
    """The history that was lived through. seconds: of the whole run, reading included."""

    name: str
    first_ms: int
    last_ms: int
    customers: int
    seconds: float


def report(
    log: Log,
    found: BacktestResult,
    rules: CutOffRules,
    settings: Mapping[str, Any],
    given: ProfitAssumptions | None,
    compared: Mapping[str, Mapping[str, Any]] = NOTHING,
) -> dict[str, Any]:
    """The report as JSON's types.

    settings   as `settings_used.settings_of` gives them
    given      what contacts cost and bring; None: no money is counted
    compared   the settings of each policy that was compared, by its name
    """
    policy, hashes = settings["policy"], {name: settings_hash(one) for name, one in compared.items()}
    top: dict[str, Any] = {
        "schema": SCHEMA,
        "file": log.name,
        "events": found.events,
        "repeats": found.repeats,
        "customers": log.customers,
        "from": rfc3339(log.first_ms),
        "to": rfc3339(log.last_ms),
        "seconds": round(log.seconds, 3),
        "events_per_s": round(found.events / log.seconds, 1),
        "engine_events_per_s": round(found.events / found.engine_s, 1),
        "settings_hash": settings_hash(settings),
        "settings": settings,
        "cutoffs": [_cut_off(one) for one in found.judged],
        "mean": {name: _mean([asdict(one.measured[name]) for one in found.judged]) for name in SCORES} if found.judged else {},
        "learning": _learning(found) | _challengers(found.challengers),
        "alerts": alerts_of(log, found.policy),
    }
    if found.policies:
        own = {"name": OWN_POLICY, "settings_hash": settings_hash(settings), "alerts": top["alerts"]}
        top["policies"] = [own, *(_compared(log, name, hashes[name], one) for name, one in found.policies.items())]
    lines = [policy[tier] for tier in ("watch", "high", "critical")]
    content: dict[str, Any] = _without_nan(top | _judged(found.judged, rules, lines, given))
    return content


def encode_report(content: Mapping[str, Any]) -> bytes:
    """The file's bytes; equal reports give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _compared(log: Log, name: str, settings_hash: str, found: PolicyResult) -> dict[str, Any]:
    return {"name": name, "settings_hash": settings_hash, "alerts": alerts_of(log, found)}


def alerts_of(log: Log, found: PolicyResult) -> dict[str, Any]:
    """The part `alerts`."""
    messages, outcomes = found.alerts.messages(), found.outcomes
    all_ms = messages["time_ms"][messages["reason"] == ReasonCode.FIRED]
    fired_ms = all_ms[all_ms <= log.last_ms]
    weeks = np.bincount((fired_ms - log.first_ms) // WEEK_MS, minlength=(log.last_ms - log.first_ms) // WEEK_MS + 1)
    lead = np.percentile(outcomes.lead_days, [10, 50, 90]).tolist() if len(outcomes.lead_days) else [None] * 3
    return {
        "fired": len(fired_ms),
        "fired_after": len(all_ms) - len(fired_ms),
        "messages": len(messages),
        "per_day": len(fired_ms) * DAY_MS / max(log.last_ms - log.first_ms, 1),
        "precision": outcomes.precision,
        "recall": outcomes.recall,
        "decided": outcomes.decided,
        "left": outcomes.left,
        "warned": outcomes.alerted,
        "warned_before": outcomes.already,
        "lead_time_days": dict(zip(("p10", "p50", "p90"), lead, strict=True)),
        "by_week": [{"at": rfc3339(log.first_ms + week * WEEK_MS), "fired": n} for week, n in enumerate(weeks.tolist())],
    }


def _cut_off(one: Judged) -> dict[str, Any]:
    measured = one.measured["risk"]
    scores = {name: _measures(asdict(one.measured[name])) for name in SCORES}
    return {"at": rfc3339(one.scored.at_ms), "n": measured.n, "base_rate": measured.base_rate, "scores": scores}


def _measures(measured: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in measured.items() if name not in ("n", "base_rate")}


def _mean(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    known = {name: [one[name] for one in measured if not math.isnan(one[name])] for name in _measures(measured[0])}
    return {name: fmean(values) if values else math.nan for name, values in known.items()}


def _learning(found: BacktestResult) -> dict[str, Any]:
    models = [{"from": rfc3339(from_ms), "version": version} for from_ms, version in found.models]
    served = {"models": len(models), "versions": models}
    if found.learner is None:
        nothing: dict[str, Any] = {"labels": 0, "left_share": None, "served_from": None, "events": []}
        return {"enabled": False} | served | nothing | {name: {} for name in MEASURED}
    told = found.learner.report()
    from_ms = told["served_from_ms"]
    return {
        "enabled": True,
        **served,
        "labels": told["labels"],
        "left_share": told["left_share"],
        "served_from": None if from_ms is None else rfc3339(from_ms),
        "standing": told["standing"],
        "why": told["why"],
        "shift": told["shift"],
        "events": [{"at": rfc3339(event["at_ms"]), "what": event["what"], "why": event["why"]} for event in told["events"]],
    } | {name: _measured(found.learner, view, who) for name, (view, who) in MEASURED.items()}


def _measured(learner: Learner, view: View, who: Who) -> dict[str, Any]:
    return {name: plain(learner.prequential.measured(name, view, who)) for name in ("champion", "closed_form", "idle")}


def _challengers(found: Challengers | None) -> dict[str, Any]:
    """What was measured of challengers; nothing where they were not asked for."""
    if found is None:
        return {}
    views: tuple[tuple[str, View], ...] = ("measured", "rolling"), ("measured_total", "total")
    measured = {
        key: {who: {name: plain(one) for name, one in models.items()} for who, models in found.measured(view).items()}
        for key, view in views
    }
    return {"challengers": {"share": found.share, "labels": found.labels} | measured}


def _judged(
    cutoffs: Sequence[Judged], rules: CutOffRules, lines: Sequence[float], given: ProfitAssumptions | None
) -> dict[str, Any]:
    """What all cut-offs say together; no row where nobody was scored."""
    if not any(len(one.left) for one in cutoffs):
        nothing: dict[str, Any] = {name: [] for name in ("gain", "weak_spots", "thresholds", "budgets")}
        nothing["profit_assumptions"] = None if given is None else asdict(given)
        return {"calibration": {"risk": [], "btyd": []}} | nothing
    all_of = [one.scored for one in cutoffs]
    scores = {name: np.concatenate([one.scores[name] for one in all_of]) for name in SCORES}
    scored = Scored(
        customer=np.concatenate([one.customer for one in all_of]),
        at_ms=np.repeat([one.at_ms for one in all_of], [len(one.customer) for one in all_of]),
        last_purchase_ms=np.concatenate([one.last_purchase_ms for one in all_of]),
        risk=scores.pop("risk"),
        left=np.concatenate([one.left for one in cutoffs]),
    )
    kinds = np.concatenate([one.kinds for one in all_of])
    days = {"horizon_days": float(rules.horizon_days), "period_days": float(len(cutoffs) * rules.every_days)}
    return judged(scored, scores, kinds, lines=lines, given=given, **days)


def _without_nan(value: Any) -> Any:
    """The same with null in place of what is not a number."""
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
