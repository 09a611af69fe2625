"""Two test runs on one machine never give their servers the same port."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.support import ports
from tests.support.workers import REPO


def another_process(among: range) -> subprocess.CompletedProcess[str]:
    """Takes one of these ports, prints it and ends."""
    program = f"from tests.support import ports; ports.PORTS = {among!r}; print(ports.own_port())"
    return subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_is_refused_to_others_though_nobody_listens_on_it_yet() -> None:
    port = ports.own_port()
    refused = another_process(range(port, port + 1))
    assert f"no free port in {port}..{port}" in refused.stderr
    assert refused.stdout == ""


def test_the_port_of_a_process_that_has_ended_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(another_process(ports.PORTS).stdout)
    monkeypatch.setattr(ports, "PORTS", range(port, port + 1))
    assert ports.own_port() == port
    with pytest.raises(OSError, match="no free port"):
        ports.own_port()


def test_a_port_on_which_somebody_listens_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        monkeypatch.setattr(ports, "PORTS", range(port, port + 1))
        with pytest.raises(OSError, match="no free port"):
            ports.own_port()
