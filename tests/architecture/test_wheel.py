"""The wheel holds what the checkout holds: a script or a mapping left out would fail only where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.architecture.tree import REPO, package_files, tracked


def test_every_file_of_the_packages_is_in_the_wheel_and_nothing_else_is(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in tracked():
        if path.parts[0] in {"streams", "alerts", "detectors", "pyproject.toml", "README.md", "LICENSE"}:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / path, copy / path)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-q",
        "-w",
        str(tmp_path),
        str(copy),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {path.as_posix() for path in package_files()}
