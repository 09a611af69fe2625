"""The two halves of moving a slot of a Redis Cluster, as redis-cli's reshard does it."""

from __future__ import annotations

from redis import Redis


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
    """The slot follows its keys."""
    target_id = target.execute_command("CLUSTER MYID")
    for client in (target, source):
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", target_id)
