"""A real Alertmanager for the tests, on a free port and in a folder of its own.

with alertmanager(folder) as server:
    server.url
    server.alerts(customer_id="anna")   # as its API tells them
    server.restart()                    # the same port; it has forgotten everything
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from streams.runtime import child
from tests.support.eventually import eventually
from tests.support.ports import own_port

CONFIG = """
route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}
receivers:
  - name: hook
    webhook_configs: [{url: "%s", send_resolved: true}]
"""


class AlertmanagerMissing(Exception):
    """The program is not to be had here; says which."""


class RunningAlertmanager:
    """One process.

    hook   address that it tells of alerts, as it would tell a pager
    """

    def __init__(self, program: str, folder: Path, hook: str) -> None:
        self._program, self._folder = program, folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yml").write_text(CONFIG % hook)
        self.port = own_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it is ready."""
        command = [self._program, "--config.file=config.yml", "--storage.path=data", "--cluster.listen-address=",
                   f"--web.listen-address=127.0.0.1:{self.port}"]  # fmt: skip
        self._process = child.spawn(command, self._folder / "log", cwd=self._folder)
        eventually(self._ready)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5.0) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        if self._process is not None:
            child.end(self._process)

    def restart(self) -> None:
        """It keeps silences, and no alert."""
        self.stop()
        self.start()

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Those that stand and have these labels."""
        wanted = [("filter", f"{name}={json.dumps(value)}") for name, value in labels.items()]
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{urllib.parse.urlencode(wanted)}", timeout=5.0) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found


@contextmanager
def alertmanager(folder: Path, hook: str = "http://127.0.0.1:9/") -> Iterator[RunningAlertmanager]:
    """One that runs. Raises AlertmanagerMissing where it is not installed."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        raise AlertmanagerMissing("prometheus-alertmanager is not installed")
    server = RunningAlertmanager(program, folder, hook)
    try:
        server.start()
        yield server
    finally:
        server.stop()
