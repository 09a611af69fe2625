"""The columns of the linear model for one customer, in plain words. Oracle for detectors/customer_features.py and design.py.

Only the constants (centre and scale of each feature) are taken from the code under test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from detectors.customer_features import FEATURES
from detectors.parameters import BtydParameters

HINGED = ("idle", "ratio", "closed_form", "log_z", "z", "decayed_45", "gaps", "over_longest")
MULTIPLIED = ("idle", "closed_form", "gaps", "ratio", "decayed_45", "gap_cv")


def columns(known: Mapping[str, float], parameters: BtydParameters, horizon_days: float) -> dict[str, float]:
    """By name, from the raw inputs by name."""
    values = features(known, parameters, horizon_days)
    scaled = {f.name: min(max((values[f.name] - f.centre) / f.scale, -4.0), 4.0) for f in FEATURES}
    found = scaled | {"closed_form": values["closed_form"], "bias": 1.0}
    for name in HINGED:
        found |= {f"{name}>{knot}": max(scaled[name] - knot, 0.0) for knot in (-1, 0, 1)}
    found |= {f"{name}>0": max(scaled[name], 0.0) for name in ("login_silence", "logins_7d", "logins_30d", "logins_90d")}
    for place, one in enumerate(MULTIPLIED):
        found |= {f"{one}*{other}": scaled[one] * scaled[other] for other in MULTIPLIED[place:]}
    return found


def features(known: Mapping[str, float], parameters: BtydParameters, horizon_days: float) -> dict[str, float]:
    """Every feature before it is scaled."""
    return (
        _silence(known, parameters, horizon_days)
        | _rhythm(known)
        | _frequency(known)
        | _money(known)
        | _complaints(known)
        | _logins(known)
    )


def closed_form(known: Mapping[str, float], parameters: BtydParameters, horizon_days: float) -> float:
    """Log odds of MBG/NBD."""
    x, t_x, observed = known["repeat_days"], known["between_days"], known["observed_days"]
    power = parameters.r + x
    silent = ((parameters.alpha_days + t_x) / (parameters.alpha_days + observed)) ** power
    silent_ahead = ((parameters.alpha_days + observed) / (parameters.alpha_days + observed + horizon_days)) ** power
    gone = parameters.a / (parameters.b + x)
    return math.log((gone + silent * silent_ahead) / (silent * (1.0 - silent_ahead)))


def _gaps(known: Mapping[str, float]) -> tuple[float, float, float]:
    """(mean gap, mean with one gap of 30 days among them, standard deviation), days."""
    n, between = known["repeat_days"], known["between_days"]
    if n == 0:
        return 30.0, 30.0, 0.0
    spread = math.sqrt(max(known["gap_sq_sum"] / n - (between / n) ** 2, 0.0))
    return between / n, (between + 30.0) / (n + 1), spread


def _silence(known: Mapping[str, float], parameters: BtydParameters, horizon_days: float) -> dict[str, float]:
    n, idle = known["repeat_days"], known["idle_days"]
    mean, shrunk, spread = _gaps(known)
    prior = math.log(30.0)
    log_mean = (known["log_gap_sum"] + prior) / (n + 1)
    log_variance = (known["log_gap_sq_sum"] + prior**2 + 1.0) / (n + 1) - log_mean**2
    own = (1.0 + horizon_days / (known["between_days"] + 30.0 + idle)) ** -(n + 1)
    return {
        "closed_form": closed_form(known, parameters, horizon_days),
        "idle": math.log(1.0 + idle),
        "ratio": math.log((idle + 3.0) / (shrunk + 3.0)),
        "over_longest": math.log((idle + 3.0) / ((known["longest_gap_days"] if n else 30.0) + 3.0)),
        "z": (idle - mean) / (spread + 0.3 * mean + 3.0),
        "log_z": (math.log(1.0 + idle) - log_mean) / math.sqrt(max(log_variance, 0.0) + 0.1),
        "own_rhythm": math.log(own / (1.0 - own)),
    }


def _rhythm(known: Mapping[str, float]) -> dict[str, float]:
    n = known["repeat_days"]
    mean, shrunk, spread = _gaps(known)
    return {
        "gaps": math.log(1.0 + n),
        "mean_gap": math.log(1.0 + mean),
        "gap_cv": spread / (mean + 1.0),
        "last_gap": math.log(((known["last_gap_days"] if n else 30.0) + 3.0) / (shrunk + 3.0)),
        "tenure": math.log(1.0 + known["observed_days"]),
    }


def _frequency(known: Mapping[str, float]) -> dict[str, float]:
    found = {f"days_{n}d": math.log(1.0 + known[f"days_{n}d"]) for n in (30, 90, 180)}
    found |= {f"months_{n}": known[f"months_{n}"] / n for n in (6, 12)}
    found |= {f"decayed_{n}": math.log(known[f"decayed_purchases_{n}"] + 0.05) for n in (15, 45, 120)}
    return found | {
        "trend_30_90": trend(known["days_30d"], 30, known["days_90d"], 90),
        "trend_90_180": trend(known["days_90d"], 90, known["days_180d"], 180),
    }


def trend(count: float, days: int, wider_count: float, wider_days: int) -> float:
    """ln of the rate of late over the rate in a wider window; nothing there says nothing."""
    return math.log((count * wider_days / days + 1.0) / (wider_count + 1.0)) if wider_count else 0.0


def _money(known: Mapping[str, float]) -> dict[str, float]:
    ticket = math.log(1.0 + known["spent_minor"] / known["purchases"])
    count = known["decayed_purchases_15"]
    refunded, spent = known["refunded_minor"], known["spent_minor"]
    return {
        "ticket": ticket,
        "ticket_of_late": math.log(1.0 + known["decayed_spent_15"] / count) - ticket if count > 0 else 0.0,
        "refunds": math.log(1.0 + known["refunds"]),
        "refund_share": refunded / (spent + refunded + 1.0),
        "refund_share_90d": known["refunded_90d"] / (known["spent_90d"] + known["refunded_90d"] + 1.0),
        "refunded_90d": float(known["refunded_90d"] > 0),
    }


def _complaints(known: Mapping[str, float]) -> dict[str, float]:
    since = known["complaints"] > 0 and known["complaint_idle_days"] <= known["idle_days"]
    of_year = known["complaints_365d"]
    severity = known["severity_365d"] / of_year if of_year else 0.0
    return {
        "complaints": math.log(1.0 + known["complaints"]),
        "complaints_90d": math.log(1.0 + known["complaints_90d"]),
        "complaints_30d": math.log(1.0 + known["complaints_30d"]),
        "severity_90d": math.log(1.0 + known["severity_90d"]),
        "complaint_since": float(since),
        "severity_since": severity / 3.0 if since else 0.0,
    }


def _logins(known: Mapping[str, float]) -> dict[str, float]:
    of_year = known["logins_365d"]
    if of_year == 0:
        return dict.fromkeys(("logs_in", "login_rate", "login_silence", "logins_7d", "logins_30d", "logins_90d"), 0.0)
    usual = min(known["observed_days"] + 1.0, 365.0) / of_year
    return {
        "logs_in": 1.0,
        "login_rate": math.log(1.0 + 30.0 / usual),
        "login_silence": math.log((known["login_idle_days"] + 1.0) / (usual + 1.0)),
    } | {f"logins_{n}d": math.log((known[f"logins_{n}d"] + 1.0) / (n / usual + 1.0)) for n in (7, 30, 90)}
