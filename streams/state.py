"""What a partition remembers besides its customers: the watermark, the quintile sketch and the counts for the board."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.rules import TIER_NAMES
from streams.quintiles import Quintiles
from streams.segments import SEGMENTS

STATE_VERSION = 1


@dataclass(slots=True)
class PartitionState:
    """watermark_ms   all events before it are held to have come, ms since 1970; 0 = nothing seen yet
    quintiles      sketch of the R, F and M scores
    customers      int64 (tiers, segments): customers by tier and RFM segment, as at their latest evaluation
    """

    watermark_ms: int = 0
    quintiles: Quintiles = field(default_factory=Quintiles)
    customers: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(TIER_NAMES), len(SEGMENTS)), np.int64))

    def copy(self) -> PartitionState:
        """An independent copy."""
        return PartitionState(self.watermark_ms, self.quintiles.copy(), self.customers.copy())

    def to_bytes(self) -> bytes:
        """Fixed-width bytes that `from_bytes` reads back."""
        head = STATE_VERSION.to_bytes(2, "little") + self.watermark_ms.to_bytes(8, "little", signed=True)
        return head + self.customers.astype("<u4").tobytes() + self.quintiles.to_bytes()

    @staticmethod
    def from_bytes(blob: bytes) -> PartitionState:
        """Inverse of `to_bytes`. Raises ValueError on a version or length that this release cannot read."""
        version = int.from_bytes(blob[:2], "little")
        if version != STATE_VERSION:
            raise ValueError(f"partition state version {version}, this release reads {STATE_VERSION}: upgrade churnwatch")
        shape = (len(TIER_NAMES), len(SEGMENTS))
        end = 10 + 4 * shape[0] * shape[1]
        customers = np.frombuffer(blob[10:end], "<u4").astype(np.int64).reshape(shape)
        return PartitionState(int.from_bytes(blob[2:10], "little", signed=True), Quintiles.from_bytes(blob[end:]), customers)
