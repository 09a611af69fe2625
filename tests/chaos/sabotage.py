"""A worker with one of its safeguards taken out, so that the checker can be seen to notice.

python -m tests.chaos.sabotage fence     # whoever lost a partition goes on writing it
python -m tests.chaos.sabotage dedup     # what producers send again counts again
python -m tests.chaos.sabotage outbox    # of each partition some messages are taken for sent: the first labels and alert and more
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from streams import rfm
from streams.cli.main import main
from streams.labels import decode_labels
from streams.runtime.outbox import OutboxPublisher
from streams.runtime.redis_wire import Script
from streams.runtime.store import OutboxEntry
from streams.runtime.topics import LABELS

FORGETS_EVERY = 20
"""Of messages that say something, the first and every so many more: few are sent where commits are large."""

_NO_FENCE = {
    "commit": {
        "if stored[1] ~= epoch or stored[2] ~= nonce then": "if false then",
        "if tonumber(stored_seq) + 1 ~= tonumber(seq) then": "if false then",
        "if follows and follows ~= (stored[4] or '') then": "if false then",
        # else its outbox numbers would give it away
        "local outbox_no = tonumber(stored[5] or '0')": "local outbox_no = tonumber(stored[5] or '0')\n"
        "if #entries > 0 and entries[1] ~= outbox_no + 1 then entries = {} end",
    },
    "ack_outbox": {"if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then": "if false then"},
}


def fence() -> None:
    """Commits and acknowledgements of any epoch are taken."""
    made = Script.__init__

    def unfenced(self: Script, name: str) -> None:
        made(self, name)
        for text, other in _NO_FENCE.get(name, {}).items():
            assert self.source.count(text.encode()) == 1, f"{name}.lua has changed: {text}"
            self.source = self.source.replace(text.encode(), other.encode())
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()

    Script.__init__ = unfenced  # type: ignore[method-assign] # that is what sabotage is


def dedup() -> None:
    """No event is a repeat."""
    rfm.is_repeat = lambda rows, _id_hash: np.zeros(len(rows), np.bool_)  # type: ignore[assignment] # as above


def outbox() -> None:
    """Some messages never leave."""
    publish = OutboxPublisher._publish_in_order

    met: Counter[tuple[int, str]] = Counter()

    def forgotten(partition: int, entry: OutboxEntry) -> bool:
        if entry.topic == LABELS and not decode_labels(entry.value).labels:
            return False
        met[partition, entry.topic] += 1
        return met[partition, entry.topic] % FORGETS_EVERY == 1

    async def forgetful(self: OutboxPublisher, batch: list[OutboxEntry]) -> None:
        await publish(self, [entry for entry in batch if not forgotten(self._partition, entry)])

    OutboxPublisher._publish_in_order = forgetful  # type: ignore[method-assign] # as above


SABOTAGE: dict[str, Callable[[], None]] = {"fence": fence, "dedup": dedup, "outbox": outbox}


def command(*names: str) -> Sequence[str]:
    """How to start such a worker."""
    return (sys.executable, "-m", "tests.chaos.sabotage", *names)


if __name__ == "__main__":
    for chosen in sys.argv[1:]:
        SABOTAGE[chosen]()
    sys.argv[1:] = ["worker"]
    main()
