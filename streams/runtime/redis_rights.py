"""The commands that each role runs on Redis, those inside scripts too, and no more; and which of them our user may not run.

docs/security.md shows the table; a test runs each role under a user with exactly these and compares with what the server counted.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgpack  # type: ignore[import-untyped] # it ships no types

from streams.runtime.backoff import Backoff
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_wire import Script
from streams.runtime.store import StoreMisconfigured

KEY = "key"
"""Stands for a key of ours in the samples below."""

SAMPLES: Mapping[str, tuple[str, ...]] = {
    "eval": ("return 1", "0"),
    "evalsha": ("0" * 40, "0"),
    "exists": (KEY,),
    "get": (KEY,),
    "hdel": (KEY, "f"),
    "hget": (KEY, "f"),
    "hgetall": (KEY,),
    "hincrby": (KEY, "f", "1"),
    "hmget": (KEY, "f"),
    "hset": (KEY, "f", "v"),
    "hscan": (KEY, "0"),
    "info": (),
    "mget": (KEY,),
    "mset": (KEY, "v"),
    "scan": ("0",),
    "set": (KEY, "v"),
    "time": (),
    "type": (KEY,),
    "unlink": (KEY,),
    "wait": ("1", "1"),
    "xdel": (KEY, "0-1"),
    "xadd": (KEY, "*", "f", "v"),
    "xinfo|stream": (KEY,),
    "xrange": (KEY, "-", "+"),
    "xtrim": (KEY, "MAXLEN", "1"),
    "zadd": (KEY, "1", "m"),
    "zmscore": (KEY, "m"),
    "zrangebyscore": (KEY, "0", "1"),
    "zrem": (KEY, "m"),
    "zremrangebyscore": (KEY, "0", "1"),
    "zrevrange": (KEY, "0", "1"),
    "zscan": (KEY, "0"),
    "zscore": (KEY, "m"),
}
"""Command → arguments with which it could be run."""

_TAKE = ("eval", "evalsha", "hgetall", "hincrby", "hmget", "hset")
_COMMIT = ("exists", "mset", "type", "xadd", "xinfo|stream", "zadd", "zrem")

ROLES: Mapping[str, tuple[str, ...]] = {
    "worker": (*_TAKE, *_COMMIT, "hscan", "info", "mget", "xrange", "xtrim", "zrangebyscore"),
    "worker with erasure.key or retention.inactive_days, also": ("hdel", "unlink", "xdel", "zscan"),
    "worker with learning.enabled, also": ("hdel",),
    "worker with triggers.playbook_file, also": ("zmscore", "zremrangebyscore"),
    "worker with redis.wait_replicas, also": ("hget", "set", "wait"),
    "learner": (*_TAKE, "exists", "mget", "scan"),
    "customer": ("get", "hget", "hgetall", "zscore"),
    "fit": ("hgetall", "mget", "scan"),
    "go-live": ("hgetall", "mget", "zrevrange"),
    "rebuild": ("scan", "unlink"),
    "rebuild --forget-learnt, also": ("hgetall",),
    "rebuild --keep-state": ("eval", "evalsha", "exists", "hincrby", "hset"),
    "doctor": ("hget", "info", "time"),
    "every role with redis.cluster, also": ("asking", "cluster|slots"),
}
"""Role or command → what it needs. Commands that are not named here do not talk to Redis."""


def acl_line(user: str, prefix: str, *roles: str, password: str = ">PASSWORD") -> list[str]:
    """ACL SETUSER for these roles, word by word.

    >>> " ".join(acl_line("shop", "churnwatch", "rebuild"))
    'ACL SETUSER shop on >PASSWORD resetkeys ~churnwatch:* resetchannels -@all +scan +unlink'
    """
    commands = sorted({command for role in roles for command in ROLES[role]})
    words = ["ACL", "SETUSER", user, "on", password, "resetkeys", f"~{prefix}:*", "resetchannels", "-@all"]
    return words + [f"+{command}" for command in commands]


def worker_roles(*, playbook: bool, wait_replicas: bool, erases: bool = False, learns: bool = False) -> list[str]:
    """Those of a worker with such settings."""
    more = {
        "worker with triggers.playbook_file, also": playbook,
        "worker with redis.wait_replicas, also": wait_replicas,
        "worker with erasure.key or retention.inactive_days, also": erases,
        "worker with learning.enabled, also": learns,
    }
    return ["worker", *(role for role, wanted in more.items() if wanted)]


async def missing_commands(link: RedisLink, prefix: str, roles: list[str], backoff: Backoff) -> list[str]:
    """Those that our user may not run on our keys; [] also where the server does not tell (Redis before 7).

    Waits for a server that is away as long as `backoff` allows.
    """
    script, key = Script("rights"), f"{prefix}:{{0}}:meta"
    wanted = sorted({command for role in roles for command in ROLES[role] if command in SAMPLES})
    asked = [[*name.split("|"), *(key if word == KEY else word for word in SAMPLES[name])] for name in wanted]

    async def ask() -> list[int]:
        found: list[int] = await link.send(key, "EVAL", script.source, 1, key, msgpack.packb(asked, use_bin_type=False))
        return found

    return [wanted[int(at) - 1] for at in await backoff.run("ask for rights", ask, link.passing)]


async def check_commands(link: RedisLink, prefix: str, roles: list[str], backoff: Backoff) -> None:
    """Raise StoreMisconfigured, naming every command that is missing."""
    missing = await missing_commands(link, prefix, roles, backoff)
    if missing:
        raise StoreMisconfigured(
            f"redis: the user in redis.url may not run {', '.join(missing)} on {prefix}:*; grant it: ACL SETUSER <user> "
            f"{' '.join('+' + name for name in missing)} (docs/security.md has the whole line)"
        )
