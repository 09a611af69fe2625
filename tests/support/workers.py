"""Worker processes for the tests: started as an operator starts them, watched from outside, killed, frozen and ended.

    with Fleet(environment, folder) as fleet:
        first = fleet.start()
        fleet.until(lambda: first.applied() > 1000, "a thousand events")
        first.kill()

Whatever happens in the block, nothing outlives it; when it fails, the end of every worker's log is printed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.error import HTTPError, URLError

from prometheus_client.parser import text_string_to_metric_families

from streams.runtime import child
from tests.support.eventually import DEADLINE_S, Wait

REPO = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "streams.cli.main")
WORKER = (*COMMAND, "worker")
STOP_S = 15.0
COMMAND_S = 2 * DEADLINE_S  # of a whole command; below a test's own limit, so that the error names the command
LOG_TAIL_LINES = 40


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our own environment without anybody's churnwatch settings, and with these."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CHURNWATCH_")}
    return own | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | dict(settings)


def run_command(
    args: Sequence[str], settings: Mapping[str, str], timeout_s: float = COMMAND_S
) -> subprocess.CompletedProcess[str]:
    """`churnwatch ARGS`, to its end."""
    return subprocess.run(
        [*COMMAND, *args], env=environment(settings), cwd=REPO, capture_output=True, text=True, timeout=timeout_s, check=False
    )


class WorkerProcess:
    """One `churnwatch worker`, running since it was made.

    name      of its log file, `<name>.log` in `folder`
    may_end   the test expects it to end; without this, `Fleet.until` fails when it does
    command   how it is started
    """

    def __init__(self, name: str, settings: Mapping[str, str], folder: Path, command: Sequence[str] = WORKER) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self.frozen = self.may_end = False
        self._address: str | None = None
        env = environment({"CHURNWATCH_HTTP__PORT": "0", "CHURNWATCH_LOG__FORMAT": "json"} | dict(settings))
        self._process = child.spawn(command, self.log, cwd=REPO, env=env)

    # -- what it says -----------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def entries(self) -> Iterator[dict[str, Any]]:
        """Its log, entry by entry; lines that are none (see `plain_lines`), or are being written, are left out."""
        for line in self.log.read_text(errors="replace").splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                yield json.loads(line)

    def plain_lines(self) -> list[str]:
        """What it wrote beside its log: the line of an error, or a traceback."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if line and not line.startswith("{")]

    def said(self, event: str) -> bool:
        """Whether an entry of its log is this event."""
        return any(entry.get("event") == event for entry in self.entries())

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of its server; (0, why) where there is none."""
        address = self._find_address()
        if address is None or self.frozen or self.exit_code() is not None:
            return 0, "not listening"
        try:
            with urllib.request.urlopen(address + path, timeout=10.0) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except (URLError, OSError) as problem:
            return 0, str(problem)

    @property
    def address(self) -> str | None:
        """Where it serves metrics and health, http://host:port; None: not yet."""
        return self._find_address()

    def _find_address(self) -> str | None:
        if self._address is None:
            said = (entry for entry in self.entries() if entry.get("event") == "serving metrics and health")
            self._address = next((entry["address"] for entry in said), None)
        return self._address

    def ready(self) -> bool:
        """Whether /readyz says yes."""
        return self.get("/readyz")[0] == 200

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the series of this name that have these labels; 0.0 where it does not answer."""
        status, text = self.get("/metrics")
        if status != 200:
            return 0.0
        lines = "\n".join(line for line in text.splitlines() if line.startswith(name))  # the rest costs the parser 10 ms
        samples = (sample for family in text_string_to_metric_families(lines + "\n") for sample in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def applied(self) -> int:
        """Events that it has applied since its start."""
        return int(self.metric("churnwatch_events_total"))

    def owned(self) -> int:
        """Partitions that it owns."""
        return int(self.metric("churnwatch_partitions_owned"))

    # -- what is done to it -----------------------------------------------------------------------------------------

    def stop(self) -> int:
        """SIGTERM; the exit code. AssertionError if it takes longer than STOP_S."""
        self.ask_to_stop()
        return self.wait()

    def wait(self) -> int:
        """The exit code of one that was asked to stop. AssertionError if it takes longer than STOP_S."""
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {STOP_S:g} s of SIGTERM") from None

    def ask_to_stop(self) -> None:
        """SIGTERM, and no waiting."""
        self.may_end = True
        self._process.terminate()

    def signal(self, number: signal.Signals) -> None:
        """Any signal, and no waiting."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.may_end = True
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it lives, and does nothing."""
        self._process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: it goes on as if nothing had happened."""
        self._process.send_signal(signal.SIGCONT)
        self.frozen = False

    def end(self) -> None:
        """Whatever it does, it is gone afterwards."""
        child.end(self._process, grace_s=5.0)


class Fleet:
    """The workers of one test.

    settings   environment of all of them
    folder     for their logs
    supervised   start another worker for each that fails, as systemd or Kubernetes would; otherwise a failure ends the wait
    command      how each is started
    """

    def __init__(
        self, settings: Mapping[str, str], folder: Path, *, supervised: bool = False, command: Sequence[str] = WORKER
    ) -> None:
        self._settings, self._folder, self._supervised, self._command = dict(settings), folder, supervised, command
        self.workers: list[WorkerProcess] = []
        self.restarts = 0

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self.running():  # all at the same time
            worker.ask_to_stop()
            worker.thaw()
        for worker in self.workers:
            worker.end()
        if error is not None:
            for worker in self.workers:
                print(f"--- {worker.name}, exit code {worker.exit_code()}\n{worker.tail()}")  # noqa: T201 # pytest shows it

    def start(self, command: Sequence[str] | None = None, **more: str) -> WorkerProcess:
        """Another worker, by its own command where one is given; `more` are settings of its own, as environment variables."""
        worker = WorkerProcess(f"worker-{len(self.workers)}", self._settings | more, self._folder, command or self._command)
        self.workers.append(worker)
        return worker

    def running(self) -> list[WorkerProcess]:
        """Those that have not ended."""
        return [worker for worker in self.workers if worker.exit_code() is None]

    def applied(self) -> int:
        """Events that those who run have applied."""
        return sum(worker.applied() for worker in self.running())

    def stop(self) -> list[int]:
        """SIGTERM to all at once; the exit codes."""
        running = self.running()
        for worker in running:
            worker.ask_to_stop()
        return [worker.wait() for worker in running]

    def until(self, condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Return when condition() holds. AssertionError after the deadline, or when a worker failed that nobody killed."""
        wait = Wait(deadline_s)
        while not condition():
            for worker in self.workers:
                if (code := worker.exit_code()) is not None and not worker.may_end:
                    self._replace(worker, code)
            assert not wait.over, f"not within {deadline_s:g} s: {what}"
            wait.pause()

    def _replace(self, worker: WorkerProcess, code: int) -> None:
        expected = self._supervised and code > 0
        assert expected, f"{worker.name} ended by itself with exit code {code}:\n{worker.tail()}"
        worker.may_end = True
        self.restarts += 1
        self.start()
