"""What a model may know of a customer: the raw inputs that a snapshot freezes, by name."""

from __future__ import annotations

import hashlib
from typing import Final

INPUTS: Final = ("repeat_days", "between_days", "observed_days")
"""The first three are x, t_x and T of the closed form, days."""

INPUTS_HASH: Final = hashlib.sha256("/".join(("1", *INPUTS)).encode()).hexdigest()[:16]
"""Names them all: snapshots, labels and models with another one do not fit this release."""
