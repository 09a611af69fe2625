"""Which commits of a partition count: from the last one back, each names the one that it follows.

The others were lost by Redis (a replica that took over without them) and made again by somebody else; their messages may
have left all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streams.runtime.commits import JournalEntry


class NotRepeated(AssertionError):
    """The run cannot be repeated from what it left, or the repetition differs from what the journal says. Says where."""


@dataclass(frozen=True)
class Chain:
    """Commits of one partition.

    kept       those that count, in order
    orphaned   id of a commit, "" for none -> those that followed it and do not count
    """

    kept: list[JournalEntry]
    orphaned: dict[str, list[JournalEntry]]


def chain(entries: Iterable[JournalEntry], last: str) -> Chain:
    """The commits that led to the commit `last` ("" where there was none); an entry may be there several times.

    Raises NotRepeated where one is missing, two differ, or numbers do not go on from 1.
    """
    known: dict[str, JournalEntry] = {}
    for entry in entries:
        if known.setdefault(entry.commit_id, entry) != entry:
            raise NotRepeated(f"two contents of commit {entry.commit_id}: {known[entry.commit_id]} and {entry}")
    kept: list[JournalEntry] = []
    at = last
    while at:
        if at not in known:
            before = f"before {kept[-1].seq} of partition {kept[-1].partition}" if kept else "Redis' last one"
            raise NotRepeated(f"commit {at} ({before}) is not in the journal")
        kept.append(known.pop(at))
        at = kept[-1].follows
    kept.reverse()
    numbers = [entry.seq for entry in kept]
    if numbers != list(range(1, len(kept) + 1)):
        raise NotRepeated(f"commits are numbered {numbers[:3]} … {numbers[-3:]}, {len(kept)} in all")
    orphaned: dict[str, list[JournalEntry]] = {}
    for entry in known.values():
        orphaned.setdefault(entry.follows, []).append(entry)
    return Chain(kept, orphaned)
