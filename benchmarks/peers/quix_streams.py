"""The job on Quix Streams: three topics concatenated into one frame with one state, in RocksDB with a changelog topic.

All settings are its own defaults; topics concatenated are aligned by time. Prints one line of JSON when it has taken
`--events` events: wall clock from the first of them to the last, and CPU of this process until the last checkpoint is
written (RocksDB works inside it). It leaves its state in the changelog topic.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from quixstreams import Application, State  # type: ignore[import-not-found]  # it lives in .venv-peers

from benchmarks.peers.job import KINDS, fold, new_state


def main() -> None:
    """Run until all events are taken."""
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap", "--prefix", "--group", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--events", type=int, required=True)
    given = parser.parse_args()
    watch = _Watch(given.events)
    app = Application(
        broker_address=given.bootstrap, consumer_group=given.group, auto_offset_reset="earliest", state_dir=given.folder,
        on_message_processed=watch, loglevel="WARNING",
    )  # fmt: skip
    watch.stop = app.stop
    frames = [_frame(app, given.prefix + topic, kind) for topic, kind in KINDS.items()]
    together = frames[0].concat(frames[1]).concat(frames[2])
    crossings = together.apply(_fold, stateful=True).filter(lambda message: message is not None).update(watch.sent)
    crossings.to_topic(app.topic(given.prefix + "peer.quix", value_serializer="json"), key=lambda message: message["customer_id"])
    app.run()
    sys.stdout.write(json.dumps(watch.took()) + "\n")


def _frame(app: Any, topic: str, kind: str) -> Any:
    def name(event: dict[str, Any]) -> None:
        event["kind"] = kind

    return app.dataframe(app.topic(topic, value_deserializer="json", key_deserializer="str")).update(name)


def _fold(event: dict[str, Any], state: State) -> dict[str, Any] | None:
    customer = state.get("customer") or new_state()
    message = fold(customer, event["kind"], event)
    state.set("customer", customer)
    return message


class _Watch:
    """Counts what was processed, and stops the application after `events`."""

    def __init__(self, events: int) -> None:
        self._events, self._seen, self._sent = events, 0, 0
        self._began_s = self._began_cpu_s = self._ended_s = 0.0
        self.stop: Any = None

    def __call__(self, _topic: str, _partition: int, _offset: int) -> None:
        if not self._seen:
            self._began_s, self._began_cpu_s = time.perf_counter(), time.process_time()
        self._seen += 1
        if self._seen == self._events:
            self._ended_s = time.perf_counter()
            self.stop()

    def sent(self, _message: dict[str, Any]) -> None:
        """One message more."""
        self._sent += 1

    def took(self) -> dict[str, float]:
        """What is printed."""
        cpu_s = time.process_time() - self._began_cpu_s
        return {"events": self._seen, "sent": self._sent, "wall_s": self._ended_s - self._began_s, "cpu_s": cpu_s}


if __name__ == "__main__":
    main()
