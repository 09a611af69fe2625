"""The demo's own system: embedded broker and Valkey, topics, and one real worker, all on this machine.

Whatever CHURNWATCH_ variables say is ignored here: a demo must never replay into somebody's production.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

import streams
from streams.cli.demo_parts.worker_page import WorkerPage
from streams.cli.errors import CommandError
from streams.runtime import child
from streams.runtime.admin import create_topics
from streams.runtime.embedded import EmbeddedParts, embedded_parts
from streams.runtime.settings import Settings, load_settings

SETTINGS_FILE = "churnwatch.yaml"
WORKER_LOG = "worker.log"
READY_S = 60.0
WORKER_ENDS_S = 15.0
LOOK_S = 0.5
MISSES = 4
"""Refused connections in a row after which a server counts as gone."""


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """The running parts.

    settings       of the worker and of everybody who talks to it
    settings_file  the same as a file, for commands in another terminal
    page           the worker's HTTP side
    health         who notices when a part dies
    """

    settings: Settings
    settings_file: Path
    page: WorkerPage
    health: PartsWatch


@contextmanager
def demo_system(data: Path, step: Callable[[str], None]) -> Iterator[DemoSystem]:
    """Everything up for the length of the block, in `data`. Call it from the main thread.

    step   told what has been done, in words
    Raises EmbeddedError where the servers do not start or the folder is in use, and CommandError where a part dies.
    """
    grace_s = 0.0
    with _ctrl_c_until_muted() as mute, embedded_parts(data) as parts:
        step("broker and Valkey listen on 127.0.0.1")
        settings, file = _settings(data, parts)
        create_topics(settings)
        step(f"topics made, {settings.kafka.partitions} partitions each")
        worker = _start_worker(data, file)
        try:
            with _watched(data, worker, parts) as health:
                yield DemoSystem(settings, file, WorkerPage(settings.http.host, settings.http.port), health)
            grace_s = WORKER_ENDS_S
        except (KeyboardInterrupt, SystemExit):
            grace_s = WORKER_ENDS_S
            raise
        finally:
            mute()  # a second Ctrl-C must not leave anybody behind; how long ending takes is bounded
            child.end(worker, grace_s=grace_s)  # one that has lost its servers would wait for them


def _settings(data: Path, parts: EmbeddedParts) -> tuple[Settings, Path]:
    """Written first and read back: what another terminal will use is what runs here."""
    values = {
        "kafka": {"bootstrap": parts.kafka_bootstrap},
        "redis": {"url": parts.redis_url},
        "time": {"clock": "history"},
        "money": {"base_currency": "USD"},
        "http": {"port": child.free_port()},
        "log": {"format": "json"},
    }
    file = data / SETTINGS_FILE
    head = "# The demo's own system, as it runs now. Written anew by each `churnwatch demo`.\n"
    file.write_text(head + yaml.safe_dump(values, sort_keys=False), "utf-8")
    return load_settings(file.read_text("utf-8"), {}, name=str(file)), file


def _start_worker(data: Path, settings_file: Path) -> subprocess.Popen[bytes]:
    log = data / WORKER_LOG
    log.unlink(missing_ok=True)
    # -P: what lies in the data folder must not be taken for a module
    command = [sys.executable, "-P", "-m", "streams.cli.main", "worker", "--config", str(settings_file.resolve())]
    return child.spawn(command, log, cwd=data, env=worker_environment(os.environ))


def worker_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """`ours` without settings for another system, able to import this very package, numpy on one thread.

    >>> worker_environment({"CHURNWATCH_KAFKA__BOOTSTRAP": "production:9092", "HOME": "h"})["HOME"]
    'h'
    """
    kept = {key: value for key, value in ours.items() if not key.upper().startswith("CHURNWATCH_")}
    root = str(Path(streams.__file__).resolve().parents[1])
    paths = [root, *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def wait_ready(system: DemoSystem) -> None:
    """Return once the worker has taken its partitions. Raises CommandError when that takes longer than READY_S."""
    end_s = time.monotonic() + READY_S
    while not system.page.ready():
        system.health.check()
        if time.monotonic() > end_s:
            raise CommandError(f"the worker is not ready after {READY_S:g} s", f"read {system.health.worker_log}")
        time.sleep(0.1)


class PartsWatch:
    """Looks whether worker, broker and Valkey live, from a thread of its own, since the main one may be waiting for them.

    A death interrupts the main thread as Ctrl-C would; `check` tells the two apart.
    """

    def __init__(self, data: Path, worker: subprocess.Popen[bytes], parts: EmbeddedParts) -> None:
        self.worker_log = data / WORKER_LOG
        self._data, self._worker = data, worker
        self._ports = {"broker": _port(parts.kafka_bootstrap), "valkey": _port(parts.redis_url)}
        self._misses = dict.fromkeys(self._ports, 0)
        self._problem: CommandError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="demo-parts-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; nothing is interrupted after this."""
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raises CommandError when a part has died."""
        self._problem = self._problem or self._dead_worker()
        if self._problem is not None:
            raise self._problem

    def _look(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._problem = self._dead_worker() or self._dead_server()
            if self._problem is not None:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return

    def _dead_worker(self) -> CommandError | None:
        code = self._worker.poll()
        if code is None:
            return None
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return CommandError(f"the worker {how}", f"read {self.worker_log}")

    def _dead_server(self) -> CommandError | None:
        for name, port in self._ports.items():
            self._misses[name] = 0 if child.listens(port) else self._misses[name] + 1
            if self._misses[name] >= MISSES:
                return CommandError(f"the embedded {name} does not answer any more", f"read {self._data / name}.log")
        return None


@contextmanager
def _watched(data: Path, worker: subprocess.Popen[bytes], parts: EmbeddedParts) -> Iterator[PartsWatch]:
    watch = PartsWatch(data, worker, parts)
    watch.start()
    try:
        yield watch
    except (KeyboardInterrupt, Exception) as error:
        # whatever the block ran into, a dead part is the reason for it, and Ctrl-C need not have been pressed
        watch.stop()
        watch.check()
        raise error
    finally:
        watch.stop()


@contextmanager
def _ctrl_c_until_muted() -> Iterator[Callable[[], object]]:
    """Gives a function after which Ctrl-C is ignored until the block ends.

    A shell starts its background jobs deaf to SIGINT, which is how PartsWatch wakes the main thread: so it is heard here.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGINT, before)


def _port(address: str) -> int:
    """Of host:port, or of scheme://host:port/path.

    >>> _port("127.0.0.1:9092"), _port("redis://127.0.0.1:6379/0")
    (9092, 6379)
    """
    return int(address.rpartition("://")[2].partition("/")[0].rpartition(":")[2])
