"""What a worker and the small commands load before they do anything: whoever restarts a fleet waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.tree import REPO

HEAVY = ("river", "scipy.stats", "scipy.optimize")
"""What learning and fitting need: more than the rest together."""


@pytest.mark.parametrize("module", ["streams.runtime.app", "streams.runtime.switching", "streams.runtime.rereading"])
def test_who_does_not_learn_does_not_load_what_learning_needs(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
