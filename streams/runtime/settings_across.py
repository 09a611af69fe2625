"""Settings that are right each by itself and not together, across sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from streams.columns import DAY_MS
from streams.outcomes import MAX_LATENESS_MS

if TYPE_CHECKING:
    from streams.runtime.settings import Settings


def contradictions(settings: Settings) -> Iterator[tuple[tuple[str, str], Any, str]]:
    """(section and field, its value, what to do) for each setting that does not go with the others."""
    learning, horizon_days, lateness_s = settings.learning, settings.risk.horizon_days, settings.time.lateness_s
    if not learning.enabled:
        if settings.risk.staying == "logins":
            yield ("risk", "staying"), "logins", "would not be used: set learning.enabled, or remove it"
        return
    if horizon_days % learning.snapshots_per_horizon:
        fix = f"should divide risk.horizon_days ({horizon_days}), so that snapshots are whole days apart"
        yield ("learning", "snapshots_per_horizon"), learning.snapshots_per_horizon, fix
    if lateness_s * 1000 > MAX_LATENESS_MS:
        yield ("time", "lateness_s"), lateness_s, f"should be {MAX_LATENESS_MS // 1000} at most, for what is learnt to be exact"
    inactive_days = settings.retention.inactive_days
    least_days = learning.active_days + horizon_days + -(-lateness_s * 1000 // DAY_MS)
    if inactive_days is not None and inactive_days < least_days:
        fix = f"should be {least_days} or more (learning.active_days + risk.horizon_days + time.lateness_s), or customers are "
        yield ("retention", "inactive_days"), inactive_days, fix + "forgotten before it is known that they left"
