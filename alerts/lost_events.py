"""The message that events are gone for ever: deleted from a topic before they were read.

It is an ingestion alert that nothing resolves, since nothing brings the events back; its id is that of the gap, so that a
repetition after a crash is known as one.
"""

from __future__ import annotations

from typing import Final

from alerts.alert import IngestionAlert
from alerts.ids import alert_id, rfc3339

EVENTS_LOST: Final = "events_lost"


def build_lost_events_alert(partition: int, topic: str, first_offset: int, events: int, as_of_ms: int) -> IngestionAlert:
    """The one message about a gap.

    topic          with its prefix
    first_offset   of what is gone
    events         how many offsets are, > 0
    as_of_ms       when it was found, ms since 1970 (event time while history is loaded)

    >>> build_lost_events_alert(2, "purchases", 40, 3, 0).text
    'partition 2 of purchases: 3 events, offsets 40 to 42, deleted before they were read; going on without them'
    """
    episode = alert_id(f"partition-{partition} {topic} {first_offset}", "ingestion", 0)
    return IngestionAlert(
        alert_id=episode,
        message_id=f"{episode}-1",
        transition=1,
        status="firing",
        rule="ingestion",
        partition=partition,
        reason=EVENTS_LOST,
        since=rfc3339(as_of_ms),
        as_of=rfc3339(as_of_ms),
        text=(
            f"partition {partition} of {topic}: {events} {'event' if events == 1 else 'events'}, offsets {first_offset} to "
            f"{first_offset + events - 1}, deleted before they were read; going on without them"
        ),
    )
