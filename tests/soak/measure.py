"""What is measured during a soak, every two seconds: memory and file handles of the workers, memory of Redis, lag, events."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from tests.chaos.system import PARTITIONS, System
from tests.support.workers import WorkerProcess

EVERY_S = 2.0


class Meter:
    """Measures in a thread until it is left. samples: one dict a measurement; `None` where a part did not answer.

    watched   the worker that nobody kills
    """

    def __init__(self, system: System, watched: WorkerProcess) -> None:
        self._system, self._watched = system, watched
        self.samples: list[dict[str, Any]] = []
        self._ending = threading.Event()
        self._begun_s = time.monotonic()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        if self._failure is not None:
            raise AssertionError("the meter stopped") from self._failure

    @property
    def now_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begun_s

    def _run(self) -> None:
        try:
            while not self._ending.wait(EVERY_S):
                self.samples.append(self._sample())
        except Exception as problem:  # noqa: BLE001 - whatever it is: what is not measured must not look flat
            self._failure = problem

    def _sample(self) -> dict[str, Any]:
        process = Path(f"/proc/{self._watched.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
        workers = [worker for worker in self._system.fleet.running() if not worker.frozen]
        told = self._system.owned() == PARTITIONS  # else nobody tells of some partition's lag
        return {
            "at_s": round(self.now_s, 1),
            "worker_rss_bytes": int(status["VmRSS"].split()[0]) * 1024,
            "worker_fds": len(list((process / "fd").iterdir())),
            "redis_bytes": self._redis_bytes(),
            "lag_events": sum(worker.metric("churnwatch_lag_events") for worker in workers) if told else None,
            "outbox": sum(worker.metric("churnwatch_outbox_depth") for worker in workers),
            "day": self._system.load.day,
        }

    def _redis_bytes(self) -> int | None:
        with contextlib.suppress(RedisError, OSError), self._system.redis.client() as client:
            return int(client.info("memory")["used_memory"])
        return None
