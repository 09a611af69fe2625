"""The two halves of moving a slot of a Redis Cluster, as redis-cli's reshard does it."""

from __future__ import annotations

from redis import Redis

from tests.support.eventually import wait_until


def carry(slot: int, source: Redis, target: Redis, to_port: int, keys_at_a_time: int) -> int:
    """Move a slot's keys and leave the slot where it is: who asks for one is sent to ask there. Returns how many moved.

    Can be repeated when a node died on the way.
    """
    moved = 0
    source_id, target_id = source.execute_command("CLUSTER MYID"), target.execute_command("CLUSTER MYID")
    target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source_id)
    source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target_id)
    while keys := source.execute_command("CLUSTER GETKEYSINSLOT", slot, keys_at_a_time):
        source.execute_command("MIGRATE", "127.0.0.1", to_port, "", 0, 10_000, "REPLACE", "KEYS", *keys)
        moved += len(keys)
    return moved


def settle(slot: int, source: Redis, target: Redis) -> None:
    """The slot follows its keys.

    A target that was just started may not know yet how new the source's claims are. It would take the slot with an older one,
    give it back to the source, which then believes that the target has it: nobody has, for ever.
    """
    wait_until(lambda: _epochs(target)[0] >= _epochs(source)[1], "the target knows how new the source's claims are")
    target_id = target.execute_command("CLUSTER MYID")
    for client in (target, source):
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", target_id)


def _epochs(node: Redis) -> tuple[int, int]:
    """(the newest that the node knows of, that of its own claims)."""
    info = node.execute_command("CLUSTER INFO")
    return int(info["cluster_current_epoch"]), int(info["cluster_my_epoch"])
