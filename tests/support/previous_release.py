"""churnwatch as it was before version 2 of the records, as far as its neighbours and Redis can tell.

    fleet.start(PREVIOUS_RELEASE)    a worker of it

It stores version 1, reads no other, and knows nothing of what the partition's state has gained since. That it stores those
bytes is held against `tests/golden/bytes`, which that release itself wrote. It is today's program in all else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import msgspec

from streams import customer, customer_v1
from streams.runtime import app, committer
from streams.runtime.commits import LiveState

PREVIOUS_RELEASE = (sys.executable, "-m", "tests.support.previous_release", "worker")
KNOWN = customer_v1.VERSION
STATE_FIELDS = ("engine", "inflow", "clock", "live_after_ms")


def read_records(blobs: Sequence[bytes | None]) -> customer.Records:
    """As that release read them: rows of 512 bytes and its own version. Raises ValueError for all others."""
    for blob in blobs:
        if blob is not None and (len(blob) != customer.RECORD_BYTES or blob[customer.VERSION_OFFSET] != KNOWN):
            raise ValueError(f"customer record of {len(blob)} bytes, version {blob[customer.VERSION_OFFSET]}: upgrade churnwatch")
    return customer.read_records(blobs)


def pack_state(state: LiveState) -> bytes:
    """As that release packed it."""
    return msgspec.msgpack.encode({name: getattr(state, name) for name in STATE_FIELDS})


def main() -> None:
    """Run the command line."""
    os.environ["CHURNWATCH_ENGINE__RECORD_VERSION"] = str(KNOWN)
    app.VERSION = KNOWN  # the newest it reads
    committer.read_records, committer.pack_state = read_records, pack_state
    from streams.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
