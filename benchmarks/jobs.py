"""One turn of a job, what several turns come to, and the peers' programs (`peers/`), run to their end."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.parts import Parts, redis_cpu_s
from benchmarks.stream import PARTITIONS
from streams.runtime.kafka_client import admin_client
from streams.runtime.settings import Settings

REPO = Path(__file__).resolve().parents[1]
PEERS_PYTHON = REPO / ".venv-peers" / "bin" / "python"
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of one job over `events` events."""

    events: int
    events_per_s: float
    cpu_us_per_event: float
    store_cpu_us_per_event: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of the turns, each figure its own; spread: figure -> (least, most).

    events_per_s             by the wall clock, from the first event to the last
    cpu_us_per_event         of the job's process, all threads
    store_cpu_us_per_event   of its store where that is another process, else 0
    """

    events: int
    events_per_s: float
    cpu_us_per_event: float
    store_cpu_us_per_event: float
    spread: dict[str, tuple[float, float]]


def figures(turns: list[Turn]) -> Figures:
    """Of at least one turn over the same events."""
    names = ("events_per_s", "cpu_us_per_event", "store_cpu_us_per_event")
    columns = {name: [getattr(turn, name) for turn in turns] for name in names}
    spread = {name: (min(column), max(column)) for name, column in columns.items()}
    return Figures(events=turns[0].events, spread=spread, **{name: median(column) for name, column in columns.items()})


def peers_installed() -> bool:
    """Whether the environment of Quix Streams is there; `make bench` makes it."""
    return PEERS_PYTHON.exists()


def run_conventional(parts: Parts, group: str, events: int, folder: Path) -> Turn:
    """The Faust program over `events` events; its hashes stay in Redis under the group's name."""
    _create(parts.settings, "peer.conventional")
    redis = ["--redis", parts.settings.redis.url.get_secret_value()]
    return _run(sys.executable, "conventional", parts, group, events, folder, redis)


def run_quix(parts: Parts, group: str, events: int, folder: Path) -> Turn:
    """The Quix Streams program over `events` events; its state stays in its changelog topic. CPU of Redis is not its own."""
    turn = _run(str(PEERS_PYTHON), "quix_streams", parts, group, events, folder, [])
    return Turn(turn.events, turn.events_per_s, turn.cpu_us_per_event, 0.0)


def _create(settings: Settings, topic: str) -> None:
    """An output topic; what exists stays."""
    name = settings.kafka.topic_prefix + topic
    with admin_client(settings) as admin:
        admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}}, raise_errors=False)
        admin.wait_for_topics([name], timeout_ms=10_000)


def _run(python: str, program: str, parts: Parts, group: str, events: int, folder: Path, more: list[str]) -> Turn:
    settings = parts.settings
    place = folder / f"{program}-{group}"
    command = [python, "-m", f"benchmarks.peers.{program}", "--bootstrap", settings.kafka.bootstrap]
    command += ["--prefix", settings.kafka.topic_prefix, "--group", group, "--events", str(events), "--folder", str(place)]
    store_cpu_s = redis_cpu_s(settings)
    done = subprocess.run(
        command + more, cwd=REPO, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    store_cpu_s = redis_cpu_s(settings) - store_cpu_s
    if done.returncode:
        raise RuntimeError(f"{program} failed with exit code {done.returncode}\n{done.stderr[-3000:]}")
    took = json.loads(done.stdout.splitlines()[-1])
    if took["events"] != events:
        raise RuntimeError(f"{program} took {took['events']} of {events} events")
    return Turn(events, events / took["wall_s"], took["cpu_s"] / events * 1e6, store_cpu_s / events * 1e6)
