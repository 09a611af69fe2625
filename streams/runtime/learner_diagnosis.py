"""Where learning is on: does a learner run, and does what it sent fit these settings?"""

from __future__ import annotations

from streams.runtime.admin import active_members
from streams.runtime.findings import Finding
from streams.runtime.kafka_client import AdminError
from streams.runtime.model_in_use import newest_by_key
from streams.runtime.settings import Settings
from streams.serving import SERVING_KEY, Serving, decode_serving

_START = "start `churnwatch learner`; workers score by the newest model meanwhile, and wait while history is loaded"


def diagnose_learner(settings: Settings) -> list[Finding]:
    """Nothing where learning is off. Problems are findings, never exceptions. Topics are looked at in `check_topics`."""
    return [_alive(settings), _served(settings)] if settings.learning.enabled else []


def _alive(settings: Settings) -> Finding:
    """By the members of the learner's consumer group. One that hangs is a member until its session ends."""
    try:
        members = active_members(settings, "-learner")
    except AdminError as error:
        return Finding("learner", "error", error.what, error.fix)
    if members is None:
        return Finding("learner", "unknown", "the broker does not tell who runs", "see /readyz of `churnwatch learner`")
    if not members:
        return Finding("learner", "warning", "none runs, and learning.enabled is true", _START)
    return Finding("learner", "ok", "one runs" if members == 1 else f"{members} run: one learns, the others stand by")


def _served(settings: Settings) -> Finding:
    try:
        found = newest_by_key(settings).get(SERVING_KEY)
    except AdminError as error:
        return Finding("learnt model", "error", error.what, error.fix)
    if found is None:
        what = f"none yet: the first labels come risk.horizon_days ({settings.risk.horizon_days}) after the first snapshots"
        return Finding("learnt model", "unknown", what)
    try:
        serving = decode_serving(found)
        serving.served_model(settings.risk.horizon_days, settings.risk.staying)
    except ValueError as problem:
        fix = "run learner and workers of one release with the same settings, and restart whichever had others"
        return Finding("learnt model", "error", f"workers with these settings refuse it: {problem}", fix)
    return Finding("learnt model", "ok", _standing(serving, serves=settings.learning.serve))


def _standing(serving: Serving, *, serves: bool) -> str:
    labels = 0 if serving.linear is None else serving.linear.labels
    stands = serving.standing if serving.hold is None else serving.hold.replace("_", " ")
    return f"{serving.version}, {stands}, {labels} labels" + ("" if serves else "; learning.serve is false: not used")
