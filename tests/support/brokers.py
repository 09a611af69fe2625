"""Real brokers for the tests: Apache Kafka (one KRaft node) and the embedded Tansu, behind one interface.

    with kafka_broker(folder) as broker:
        broker.bootstrap     # host:port, the same after a restart
        broker.kill()        # SIGKILL
        broker.start()       # comes back on the same port and, Kafka, with the same data

Kafka's jars come from CHURNWATCH_KAFKA_LIB, from .cache/kafka-4.1.0/lib in the repository, or from Maven into that folder.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.runtime import child
from streams.runtime.embedded import start_broker
from tests.support.ports import own_port

KAFKA_VERSION = "4.1.0"
_REPO = Path(__file__).resolve().parents[2]
_POM = Path(__file__).parent / "kafka" / "pom.xml"
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xms64m", "-Xmx512m")
_START_S = 60.0

# One node, little memory, and no waiting that production needs: the first join of a group is not delayed, and a broker
# that comes back after SIGKILL is let in after 3 s (9 by default), when the session of its dead self ends.
_SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={logs}
auto.create.topics.enable=false
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=4194304
log.segment.bytes=16777216
"""


class KafkaMissing(Exception):
    """Java or the broker's jars are not to be had here; says what to do."""


class BrokerFailed(Exception):
    """A broker that did not come up; carries the end of its log."""


class RunningBroker:
    """A broker process that tests may stop, kill, freeze and start again.

    bootstrap   host:port, fixed for the object's life
    kind        "kafka" or "tansu"
    pid         of the process that runs now
    """

    kind: str

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.bootstrap = f"127.0.0.1:{port}"
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End in order (SIGTERM); SIGKILL after 20 s."""
        child.end(self._process, grace_s=20.0)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def start(self) -> None:
        """Start again after `stop` or `kill`, on the same port. Returns when it answers."""
        raise NotImplementedError


class TansuBroker(RunningBroker):
    """The embedded broker. It forgets its topics when it ends."""

    kind = "tansu"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        server = start_broker(folder, port=own_port())
        super().__init__(server.port, server.process)

    def start(self) -> None:
        self._process = start_broker(self._folder, port=self.port).process


class KafkaBroker(RunningBroker):
    """Apache Kafka, one node that is broker and controller. Keeps its data over `stop` and `kill`.

    folder   logs, data and properties; must be empty
    lib      folder of the jars
    """

    kind = "kafka"

    def __init__(self, folder: Path, lib: Path) -> None:
        self._folder = folder
        self._class_path = f"{lib}/*"
        self._log = folder / "server.log"
        for _ in range(5):
            port = self._format()
            try:
                super().__init__(port, self._launch(port))
            except BrokerFailed as failure:
                if "Address already in use" not in str(failure):
                    raise
            else:
                return
        raise BrokerFailed("five ports in a row were taken by somebody else")

    def start(self) -> None:
        self._process = self._launch(self.port)

    def _format(self) -> int:
        """Write the properties and format the storage for a fresh pair of ports; returns the broker's."""
        logs = self._folder / "data"
        shutil.rmtree(logs, ignore_errors=True)
        self._log.unlink(missing_ok=True)
        port, controller = own_port(), own_port()
        text = _SERVER_PROPERTIES.format(port=port, controller=controller, logs=logs)
        (self._folder / "server.properties").write_text(text)
        cluster = base64.urlsafe_b64encode(b"@" + os.urandom(15)).rstrip(b"=").decode()  # "@": never a leading dash
        self._run("kafka.tools.StorageTool", "format", "-t", cluster, "-c", "server.properties")
        return port

    def _java(self, main: str, *args: str) -> list[str]:
        return ["java", *_JVM, "-cp", self._class_path, main, *args]

    def _run(self, main: str, *args: str) -> None:
        done = subprocess.run(self._java(main, *args), cwd=self._folder, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise BrokerFailed(f"{main}: {done.stdout}{done.stderr}")

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        process = child.spawn(self._java("kafka.Kafka", "server.properties"), self._log, cwd=self._folder)
        deadline_s = time.monotonic() + _START_S
        while process.poll() is None and time.monotonic() < deadline_s:
            if child.listens(port) and _answers(port):
                return process
            time.sleep(0.05)
        child.end(process)
        raise BrokerFailed(self._log.read_text(errors="replace")[-4000:])


def _answers(port: int) -> bool:
    """Is the broker registered and unfenced, so that topics can be created on it?"""
    try:
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=5000, bootstrap_timeout_ms=5000)
        try:
            return any(broker["port"] == port for broker in admin.describe_cluster()["brokers"])
        finally:
            admin.close()
    except (KafkaError, OSError):
        return False


def kafka_lib() -> Path:
    """The folder with Kafka's jars; fetched by Maven when there is none. Raises KafkaMissing."""
    if shutil.which("java") is None:
        raise KafkaMissing("no `java` in PATH: install Java 17 or later")
    named = os.environ.get("CHURNWATCH_KAFKA_LIB")
    cached = _REPO / ".cache" / f"kafka-{KAFKA_VERSION}" / "lib"
    lib = Path(named) if named else cached
    if (lib / f"kafka_2.13-{KAFKA_VERSION}.jar").is_file():
        return lib
    if named:
        raise KafkaMissing(f"CHURNWATCH_KAFKA_LIB={named} has no kafka_2.13-{KAFKA_VERSION}.jar")
    if shutil.which("mvn") is None:
        raise KafkaMissing("no jars in .cache and no `mvn` in PATH: install Maven or set CHURNWATCH_KAFKA_LIB")
    _resolve_with_maven(cached)
    return cached


def _resolve_with_maven(lib: Path) -> None:
    """Resolve the pom into `lib`, whole or not at all: two test runs may do it at once."""
    lib.parent.mkdir(parents=True, exist_ok=True)
    fresh = lib.with_name(f"lib.{os.getpid()}")
    command = ["mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={fresh}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise KafkaMissing(f"Maven could not get Kafka's jars: {(done.stdout + done.stderr)[-600:]}")
    try:
        fresh.rename(lib)
    except OSError:  # the other run was first
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def kafka_broker(folder: Path) -> Iterator[KafkaBroker]:
    """Apache Kafka in an empty folder, ended with the block. Raises KafkaMissing, BrokerFailed."""
    broker = KafkaBroker(folder, kafka_lib())
    try:
        yield broker
    finally:
        broker.kill()  # nothing is kept, so no need for an orderly and slow end


@contextmanager
def tansu_broker(folder: Path) -> Iterator[TansuBroker]:
    """The embedded broker, ended with the block."""
    broker = TansuBroker(folder)
    try:
        yield broker
    finally:
        broker.kill()
