"""Says to whoever deals with dead letters that every record is about to be judged anew.

A letter of before says nothing then: its record may be good by the settings of now, and count; to send it again would be to
count it twice. If it is still none, there will be a newer letter.
"""

from __future__ import annotations

import time

from streams.letter_marks import Reread
from streams.runtime.dead_letter_reader import letter_ranges
from streams.runtime.kafka_client import admin_client, reader
from streams.runtime.letter_transactions import letter_transactions
from streams.runtime.mark_reader import read_marks
from streams.runtime.settings import Settings


def say_reread(settings: Settings) -> None:
    """Write it, where there are letters at all; ends a command on dead letters that is under way. No worker may run meanwhile.

    Raises AdminError.
    """
    with admin_client(settings) as admin, reader(settings) as client:
        held = letter_ranges(settings, admin, client)
    if any(span.end > 0 for span in held.values()):
        read_marks(settings, required=True)  # for its message where their topic is missing
        before = [span.end for _, span in sorted(held.items())]
        with letter_transactions(settings) as transactions:
            transactions.reread(Reread(time.time_ns() // 1_000_000, before))
