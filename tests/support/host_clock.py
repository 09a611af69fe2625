"""The wall clock of a worker's host, set while it runs, as an administrator or a wild NTP server sets it (libfaketime).

Only CLOCK_REALTIME is set: no step of it moves the monotonic clock of a real machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.broker_fixtures import missing


class HostClock:
    """Wrong by so many seconds in every process that runs with `environment`; right at first.

    folder   for the file that libfaketime reads the error from
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "host-clock"
        self.set_wrong(0)
        self.environment = {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_wrong(self, seconds: int) -> None:
        """Within a second the clock is ahead by so much; negative: behind."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        os.replace(new, self._file)  # never half written


def _library() -> str:
    """What `faketime` would preload: it knows where its library lies on this system."""
    if shutil.which("faketime") is None:
        missing("faketime", FileNotFoundError("no `faketime` on this machine: install the package of that name"))
    told = subprocess.run(["faketime", "-m", "-f", "+0", "env"], capture_output=True, text=True, check=True, timeout=20).stdout
    return next(line.removeprefix("LD_PRELOAD=") for line in told.splitlines() if line.startswith("LD_PRELOAD="))
