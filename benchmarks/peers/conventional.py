"""The conventional way: a Faust agent that takes event by event, reads its customer's hash in Redis and writes it back.

Prints one line of JSON when it has taken `--events` events: from the first of them to the last, wall clock and CPU of this
process; messages sent. It leaves its state in Redis.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any

import faust
from redis.asyncio import Redis

from benchmarks.peers.job import KINDS, State, fold, new_state


def main() -> None:
    """Run until all events are taken."""
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap", "--redis", "--prefix", "--group", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--events", type=int, required=True)
    asyncio.run(_run(parser.parse_args()))


async def _run(given: Any) -> None:
    app = faust.App(
        given.group, broker=f"kafka://{given.bootstrap}", consumer_auto_offset_reset="earliest", web_enabled=False,
        topic_disable_leader=True, datadir=given.folder,
    )  # fmt: skip
    kinds = {given.prefix + topic: kind for topic, kind in KINDS.items()}
    events = app.topic(*kinds, key_type=str, key_serializer="raw", value_serializer="json")
    crossings = app.topic(given.prefix + "peer.conventional", value_serializer="json", key_type=str)
    redis: Any = Redis.from_url(given.redis, decode_responses=True)
    done = asyncio.Event()
    took: dict[str, float] = {"events": 0, "sent": 0}
    began: list[float] = []

    @app.agent(events)
    async def churn(stream: Any) -> None:
        async for event in stream.events():
            if not began:
                began.extend((time.perf_counter(), time.process_time()))
            customer = event.value["customer_id"]
            key = f"{given.group}:{customer}"
            state = read(await redis.hgetall(key))
            message = fold(state, kinds[event.message.topic], event.value)
            await redis.hset(key, mapping=written(state))
            if message is not None:
                await crossings.send(key=customer, value=message)
                took["sent"] += 1
            took["events"] += 1
            if took["events"] == given.events:
                done.set()

    await app.start()
    await done.wait()
    took |= {"wall_s": time.perf_counter() - began[0], "cpu_s": time.process_time() - began[1]}
    sys.stdout.write(json.dumps(took) + "\n")
    sys.stdout.flush()
    await app.stop()
    await redis.aclose()


def read(fields: dict[str, str]) -> State:
    """The state in a hash; of an empty one a new customer's. All fields are decoded in one go: that is cheaper."""
    if not fields:
        return new_state()
    state: State = json.loads("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}")
    return state


def written(state: State) -> dict[str, Any]:
    """The fields of a hash: each one JSON."""
    return {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in state.items()}


if __name__ == "__main__":
    main()
