"""The repository as its tests of shape see it: what git tracks, or would."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

REPO = Path(__file__).parents[2]
PACKAGES = ("streams", "alerts", "detectors")
WORLDLY = ("streams/runtime/", "streams/backtest/", "streams/cli/", "alerts/channels/")


@cache
def tracked() -> tuple[Path, ...]:
    """Files of the repository, relative to it, new ones included and ignored ones not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(sorted({Path(name) for name in listed.stdout.split("\0") if name and (REPO / name).is_file()}))


def package_files(suffix: str = "") -> list[Path]:
    """Files of the three packages."""
    return [path for path in tracked() if path.parts[0] in PACKAGES and path.name.endswith(suffix)]


def pure_files() -> list[Path]:
    """Python files of the packages that may not touch the world."""
    return [path for path in package_files(".py") if not path.as_posix().startswith(WORLDLY)]
