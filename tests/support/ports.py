"""Ports for the servers of the tests that no other test process on this machine takes, a killed server's among them.

A free port is anybody's until it is bound, and again while its server is down between a kill and a start. So each is a byte of
one file, locked for as long as this process lives. What the product starts takes its ports from above these.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

PORTS = range(12_000, 20_000)
"""Below those of `child.free_port`, which knows nothing of the locks."""
_ours: set[int] = set()
"""A process is never refused its own lock."""


def own_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, ours until this process ends. Raises OSError when a hundred tries fail."""
    for _ in range(100):
        port = random.SystemRandom().choice(PORTS)
        if port not in _ours and _lock(port):
            _ours.add(port)
            if _is_free(port):
                return port
    raise OSError(f"no free port in {PORTS.start}..{PORTS.stop - 1}")


def _lock(port: int) -> bool:
    try:
        fcntl.lockf(_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:  # another process has it
        return False
    return True


@cache
def _file() -> int:
    """Open until the end: to close any descriptor of it would give up all its locks. Children do not inherit them."""
    path = Path(tempfile.gettempdir()) / f"churnwatch-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
