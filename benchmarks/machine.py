"""What it was measured on: enough to compare figures, nothing that names the machine."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.jobs import PEERS_PYTHON
from benchmarks.parts import Parts
from tests.support.brokers import KAFKA_VERSION

_OURS = ("faust-streaming", "aiokafka", "redis", "numpy", "msgspec")


@dataclass(frozen=True, slots=True)
class Machine:
    """cores      logical ones
    cpu        model name
    load       average over the last minute, at the end of the run
    versions   of what took part
    """

    cores: int
    cpu: str
    kernel: str
    python: str
    load: float
    versions: dict[str, str] = field(default_factory=dict)


def this_machine(parts: Parts | None) -> Machine:
    """As it is now; with the versions of the parts where there are some."""
    versions = {name: version(name) for name in _OURS}
    if parts is not None:
        with parts.server.client() as client:
            versions[parts.redis] = str(client.info("server")["redis_version"])
        if parts.broker == "Apache Kafka":
            versions[parts.broker] = KAFKA_VERSION
    versions |= {name: found for name in ("quixstreams",) if (found := _peer_version(name))}
    return Machine(os.cpu_count() or 1, _cpu(), platform.release(), platform.python_version(), os.getloadavg()[0], versions)


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _peer_version(name: str) -> str | None:
    """Of a package in `.venv-peers`, None where there is none."""
    found = next(PEERS_PYTHON.parents[1].glob(f"lib/python*/site-packages/{name}-*.dist-info"), None)
    return None if found is None else found.name.removeprefix(f"{name}-").removesuffix(".dist-info")
