"""Messages that others have seen, of commits that a failover took back."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from streams.runtime.commits import JournalEntry
from streams.runtime.topics import JOURNAL
from tests.support.replays import PARTITIONS, Site


def orphaned_commits(site: Site) -> int:
    """Commits that `churn.journal` tells of and that are gone: another took their number, or their number was not reached again.

    A journal entry leaves with its commit's alerts, so what else that commit sent is orphaned with it.
    """
    told: dict[tuple[int, int], set[int]] = defaultdict(set)
    for record in site.messages(JOURNAL):
        entry = msgspec.json.decode(record.value, type=JournalEntry)
        told[entry.partition, entry.seq].add(entry.epoch)
    last = {partition: site.meta(partition).seq for partition in range(PARTITIONS)}
    return sum(len(epochs) - (seq <= last[partition]) for (partition, seq), epochs in told.items())
