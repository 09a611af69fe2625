"""Child processes that do not outlive their parent, and ports they can listen on.

On Linux the kernel kills the child when the thread that started it ends for whatever reason, SIGKILL included
(PR_SET_PDEATHSIG). macOS has no such thing: there a child ends with its `with` block, so after a normal end, an
exception or a handled signal, but not when the parent is SIGKILLed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Below every usual range of ephemeral ports: a client that keeps dialling a dead server from an ephemeral port can
# connect to itself and so take the very port that the server comes back to.
_PORTS = range(20_000, 32_000)


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment, 20000..31999.

    Somebody else may take it before it is used: whoever starts a server on it must notice and take another.
    Raises OSError when a hundred random ports are all taken.
    """
    for _ in range(100):
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port
    raise OSError(f"no free port on {host} in {_PORTS.start}..{_PORTS.stop - 1}")


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Does anyone accept connections on this port?"""
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _bind_life_to_parent() -> Callable[[], None] | None:
    """What the child runs between fork and exec, or None where the kernel cannot do it.

    The signal is tied to the starting *thread*, so a thread other than the main one gets none: its servers would die
    when it ends. SIGKILL, because a stopped process would keep any other signal pending.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: the child must not load libraries
    parent = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return in_child


def spawn(
    command: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str] | None = None, hold: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a server whose life is bound to ours.

    command   program and arguments
    log       file that its output is appended to
    env       the child's whole environment; None is ours
    hold      file descriptors that stay open in the child, so a lock on them lasts as long as the child

    The child gets a session of its own: Ctrl-C in the terminal reaches us, and we end it in order.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env=env,
            pass_fds=tuple(hold),
            preexec_fn=_bind_life_to_parent(),
        )


def end(process: subprocess.Popen[bytes], grace_s: float = 5.0) -> int:
    """SIGTERM, SIGKILL after `grace_s`; also ends a stopped process. Returns the exit code (negative: signal)."""
    if process.poll() is None:
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
