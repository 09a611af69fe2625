"""How the partitions of a system stand between history and live, by what their owners have committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alerts.ids import rfc3339
from alerts.rules import TIER_NAMES
from streams.runtime.commits import PastAlerts
from streams.runtime.kafka_client import AdminError
from streams.runtime.mode import recorded
from streams.runtime.settings import Settings
from streams.runtime.store import EpochStore, Meta
from streams.state import PartitionState


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition.

    offsets         topic -> first offset that is not folded
    watermark_ms    ms since 1970; 0 = nothing seen yet
    live_after_ms, switched_ms   see mode.Mode
    held            why its clock is held, "" where it is not
    past            its alerts about the past
    by_tier         customers alerted now
    """

    partition: int
    offsets: dict[str, int]
    watermark_ms: int
    live_after_ms: int | None
    switched_ms: int | None
    held: str
    past: PastAlerts
    by_tier: dict[str, int]

    @property
    def live(self) -> bool:
        """Whether history has ended, or never was."""
        return self.live_after_ms is not None

    def caught_up(self, at_ms: int, lateness_ms: int) -> bool:
        """Whether the wall clock has brought it to the time of the switch."""
        return self.live and self.watermark_ms >= at_ms - lateness_ms


async def standings(store: EpochStore, settings: Settings) -> list[Standing]:
    """Every partition. Raises AdminError where one has never been worked on."""
    metas = [await store.read_meta(partition) for partition in range(settings.kafka.partitions)]
    return [standing_of(partition, meta) for partition, meta in enumerate(metas)]


def standing_of(partition: int, meta: Meta) -> Standing:
    """One partition by its meta. Raises AdminError where nothing was committed."""
    stored = recorded(meta)
    if stored is None:
        fix = "start workers with time.clock: history, load the history with `churnwatch replay`, and run go-live again"
        raise AdminError(f"partition {partition}: no worker has committed anything yet", fix)
    state = PartitionState.from_bytes(stored.engine)
    counts = np.asarray(state.customers.sum(axis=1)).tolist()
    return Standing(
        partition,
        {topic: offset + 1 for topic, offset in meta.offsets.items()},
        state.watermark_ms,
        stored.live_after_ms,
        stored.switched_ms,
        stored.clock.held_reason,
        stored.past,
        dict(zip(TIER_NAMES[1:], counts[1:], strict=True)),
    )


def check_loaded(found: list[Standing], unfolded_ticks: Mapping[int, int]) -> None:
    """Raise AdminError where the history does not seem to be there to its end, as far as that can be told.

    found            partitions that are to be switched
    unfolded_ticks   partition -> ticks that stand on its clock and are not folded yet; those without may be left out
    """
    if behind := {one.partition: count for one in found if (count := unfolded_ticks.get(one.partition, 0))}:
        told = ", ".join(f"{count} in partition {partition}" for partition, count in behind.items())
        raise AdminError(f"history is still being loaded, ticks not folded: {told}", "let the workers end, and run go-live again")
    reached = {one.watermark_ms for one in found}
    if 0 in reached:
        empty = [one.partition for one in found if one.watermark_ms == 0]
        fix = "load one with `churnwatch replay`; a system without history begins with time.clock: wall"
        raise AdminError(f"no history has been loaded into partitions {empty}", fix)
    if len(reached) > 1:  # the last tick is the same in every partition, and all events are before it
        told = " and ".join(rfc3339(at_ms) for at_ms in (min(reached), max(reached)))
        fix = "let the replay end, or start the same replay again; then run go-live again"
        raise AdminError(f"the last ticks of the partitions differ, they are between {told}", fix)
