"""commit.lua looks at everything before it writes anything."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from redis.exceptions import ResponseError

from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_wire import Script, pack_commit
from streams.runtime.store import CommitRequest, OutboxEntry, Removal, StoreDamaged
from tests.support.redis_servers import RunningRedis
from tests.support.store_cases import RedisCase
from tests.support.store_load import CUSTOMERS, numbered, store_on

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


TEXT, LIST = (None, 1, 1.5, True, [], {"a": 1}), (None, 1, True, "x", [None], [[]])
WRONG: dict[int, tuple[Any, ...]] = {
    0: (*TEXT, "", "-1", "1.0"), 1: TEXT, 2: (*TEXT, "", "x"), 3: TEXT,
    4: (*LIST, [], [b"1"], [b"1", 2], [b"1", b"2", b"3"]),
    5: (*LIST, [], ["x"], [1, 2]), 6: (*LIST, [], [1], ["1", "2"], [1, float("nan")], [1, float("inf")]),
    7: (None, 1, True, "x", [[]], [1]),
    8: (*LIST, [], ["x"]), 9: (*LIST, [], [0.5], [0.5, float("-inf")], [0.5, float("nan")]),
    10: (*LIST, ["t"], ["t", 5], ["t", "x"], ["t", "1.5"]), 11: (None, 1, True, [], {"a": 1}),
    12: (*LIST, [1], [1, "t", b"k"], [1, "t", b"k", 5], [2, "t", b"k", b"v"], ["1", "t", b"k", b"v"], [1.5, "t", b"k", b"v"]),
    13: (*LIST, [], ["x"]), 14: (*LIST, [], [1], ["1", "2"], [1, float("nan")], [1, float("inf")]),
    15: (None, True, "1", [], [1], float("nan"), float("inf"), float("-inf")),
    16: (*LIST, [], [b"5:x"], [b"5:x", 5], [b"5:x", b"1", b"5:y"]), 17: (None, 1, True, "x", [[]], [1], []),
    18: (*LIST, [], [2, 2, 2, 0, 2, 2, 2, 5, 2, 2, 2, 1], [2, 2, 2, 0, 2, 2, 2, 4, 2, 2, 2], [1] * 12),
    19: (None, True, 1, "x", [], {"a": 1}, [1, 2, 3, 4, 5, 6, 7]), 20: (None, 1, True, [], {"a": 1}),
}  # fmt: skip


LEAVING_WRONG: dict[int, tuple[Any, ...]] = {
    0: (*LIST, [], ["x", "y"]), 1: (*LIST, [], ["x", "y"]), 2: (*LIST, [], ["x"], ["-1"], ["1.5"]),
    3: (*LIST, [], [b"d"], [b"d", "-1"], [b"d", "x"], [b"d", 5]), 4: (*LIST, [], [b"x", b"y"]), 5: (None, 1, [], ""),
    6: (*LIST, [], [1, 1, 1, 2], [1, 1, 1, 2, 2], ["1", 1, 1, 2, 1]),
}  # fmt: skip
"""Places in what is taken away -> what may not stand there."""


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_malformed_blob_writes_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("real_redis" if kind == "redis" else "embedded_valkey")
    async with store_on(server.url, prefix="bad" + secrets.token_hex(3)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        good = msgpack.unpackb(pack_commit(1, "owner", CommitRequest(
            1, "c1", [("x", b"1"), ("y", b"2")], [("x", 1), ("y", 2)], [("x", 0.1), ("y", 0.2)], {"t": 5}, b"s",
            [OutboxEntry(1, "t", b"k", b"v")], [("p\0x", 1), ("p\0y", 2)], 1, [("5:x", b"1")], ["4:x"],
            ["z"], Removal(["p\0z"], [1], {b"d" * 16: 5}, "f", [b"e" * 16]), "",
        )))  # fmt: skip
        link = RedisLink(server.url)
        case = RedisCase(link, store.key(0, "meta").split(":")[0], store)
        before = await case.save(0)
        names = ("meta", "due", "risk", "outbox", "triggered", "erased", "pending", "c:x", "c:y", "c:z")
        keys = [store.key(0, name) for name in names]

        async def send(blob: bytes) -> Any:
            return await link.send(keys[0], "EVAL", Script("commit").source, len(keys), *keys, blob)

        bodies = [[*good[:at], wrong, *good[at + 1 :]] for at, wrongs in WRONG.items() for wrong in wrongs]
        bodies += [
            [*good[:19], [*good[19][:at], wrong, *good[19][at + 1 :]], good[20]]
            for at, wrongs in LEAVING_WRONG.items()
            for wrong in wrongs
        ]
        blobs = [msgpack.packb(body, use_bin_type=False) for body in [*bodies, good[:-1], [*good, 1], {}, 5, None]]
        whole = msgpack.packb(good, use_bin_type=False)
        for blob in [*blobs, b"", b"\xc1", whole[:-1], whole[: len(whole) // 2], whole + b"\x01"]:
            with pytest.raises(ResponseError):
                await send(blob)
            assert await case.save(0) == before, blob
        assert await send(whole) == [b"ok"]
        await link.close()


@pytest.mark.parametrize("name", ["due", "risk", "outbox", "triggered", "erased", "pending"])
async def test_a_key_of_another_type_refuses_the_whole_commit(real_redis: RunningRedis, name: str) -> None:
    async with store_on(real_redis.url, prefix="type" + secrets.token_hex(3)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        with real_redis.client() as admin:
            admin.set(store.key(0, name), "not mine")
            with pytest.raises(StoreDamaged, match="is a string"):
                await store.commit(0, 1, "owner", replace(numbered(1), settled=["5:x"], removal=Removal(forgotten=[b"d"])))
            assert (await store.read_meta(0)).seq == 0
            assert await store.load(0, CUSTOMERS[:1]) == [None]
