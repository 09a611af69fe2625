"""Everything that Redis holds of a system, key by key, as it can be compared with what was there before."""

from __future__ import annotations

from typing import Any

from streams.runtime.commits import unpack_state
from tests.support.replays import PARTITIONS, Site

NEVER_THE_SAME = {b"epoch", b"nonce", b"generation", b"seq", b"commit_id", b"outbox_no"}
"""Fields of `meta` that count owners, commits and messages: a state that was built in other commits has others."""


def contents(site: Site) -> dict[str, Any]:
    """Key (without the system's prefix) -> what it holds; of `meta` what does not count commits, with the state unpacked.

    The outbox is left out: it must be empty. AssertionError for one that is not, or for a key of a kind that is not known here.
    """
    found: dict[str, Any] = {}
    head = f"{site.prefix}state:"
    with site.redis.client() as client:
        for key in client.scan_iter(match=f"{head}*", count=5000):
            name, kind = key.decode().removeprefix(head), client.type(key)
            if kind == b"string":
                found[name] = client.get(key)
            elif kind == b"zset":
                found[name] = dict(client.zrange(key, 0, -1, withscores=True))
            elif kind == b"hash":
                fields = {field: value for field, value in client.hgetall(key).items() if field not in NEVER_THE_SAME}
                found[name] = fields | {b"state": unpack_state(fields[b"state"])}
            else:
                assert (kind, client.xlen(key)) == (b"stream", 0), f"{name} is a {kind.decode()}"
    assert {name for name in found if name.endswith(":meta")} == {f"{{{partition}}}:meta" for partition in range(PARTITIONS)}
    return found
