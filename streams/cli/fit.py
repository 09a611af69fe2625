"""`churnwatch fit`: the closed form's parameters from a history file or from the running system's customers."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from kafka import KafkaProducer  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # as above
from numpy.typing import NDArray

from detectors.fit import fit_mbg_nbd
from detectors.parameters import BtydParameters, dumps
from streams.backtest.history import History, HistoryError, read_histories
from streams.backtest.mapping import find_source
from streams.cli.errors import CommandError
from streams.cli.report import ConfigOption, one_line_errors, settings_from
from streams.columns import DAY_MS, PURCHASE
from streams.customer import read_records
from streams.features import closed_form_inputs
from streams.runtime.commits import unpack_state
from streams.runtime.connect import connected_store
from streams.runtime.kafka_client import kafka_client_options
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS
from streams.serving import CLOSED_FORM_KEY
from streams.state import PartitionState

Ints = NDArray[np.int64]


def fit(
    files: Annotated[
        list[str] | None, typer.Argument(help="History files, or `cdnow:`; none: the running system's customers.")
    ] = None,
    maps: Annotated[list[str] | None, typer.Option("--map", help="Mapping of a file's columns; once, or per file.")] = None,
    until: Annotated[str | None, typer.Option(help="Use a file's events before this day only (YYYY-MM-DD, UTC).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the parameters to this file (risk.parameters_file).")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Put them on churn.models: workers take them up while running.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Fit the risk's parameters by maximum likelihood and print them as JSON."""
    with one_line_errors():
        settings = settings_from(config)
        parameters = _from_files(files, maps or [], until) if files else asyncio.run(_from_system(settings))
    text = dumps(parameters)
    if out is not None:
        out.write_bytes(text + b"\n")
    if publish:
        _publish(settings, text)
    typer.echo(text.decode())


def observed(history: History, until_ms: int | None) -> tuple[Ints, Ints, Ints, int]:
    """(x, t_x_days, T_days) of each customer with a purchase before `until_ms`, and the end of observation, ms."""
    chosen = history.kind == PURCHASE
    if until_ms is not None:
        chosen &= history.time_ms < until_ms
    days, customers = history.time_ms[chosen] // DAY_MS, history.customer[chosen]
    if not len(days):
        raise CommandError("there is no purchase to fit to", "give a file with purchases, or a later --until")
    end_day = int(days.max()) if until_ms is None else until_ms // DAY_MS - 1
    _, customer = np.unique(customers.astype(str), return_inverse=True)
    pairs = np.unique(np.stack([customer, days]), axis=1)
    starts = np.flatnonzero(np.diff(pairs[0], prepend=-1))
    counts = np.diff(starts, append=pairs.shape[1])
    first, last = pairs[1][starts], pairs[1][starts + counts - 1]
    return counts - 1, last - first, end_day - first, (end_day + 1) * DAY_MS


def _from_files(files: list[str], maps: list[str], until: str | None) -> BtydParameters:
    if len(maps) not in (0, 1, len(files)):
        raise CommandError(f"{len(maps)} mappings for {len(files)} files", "give --map once, or once per file")
    chosen = maps * len(files) if len(maps) == 1 else maps or [""] * len(files)
    try:
        history = read_histories([find_source(file, name) for file, name in zip(files, chosen, strict=True)])
    except HistoryError as problem:
        raise CommandError(str(problem), "see docs/operating.md for the columns of a history") from None
    x, t_x, big_t, end_ms = observed(history, _day_ms(until))
    return _fitted(x, t_x, big_t, end_ms, " ".join(Path(file).name for file in files))


async def _from_system(settings: Settings) -> BtydParameters:
    columns: list[tuple[Ints, Ints, Ints]] = []
    watermark_ms = 0
    async with connected_store(settings) as store:
        for partition in range(settings.kafka.partitions):
            meta = await store.read_meta(partition)
            if meta.state is None:
                continue
            state = PartitionState.from_bytes(unpack_state(meta.state).engine)
            watermark_ms = max(watermark_ms, state.watermark_ms)
            rows = read_records([record async for _, record in store.scan_records(partition)])
            rows = rows[rows["purchases"] > 0]
            columns.append(closed_form_inputs(rows, np.maximum(rows["last_purchase_ms"], state.watermark_ms)))
    if not columns:
        raise CommandError("the running system has no customers yet", "start a worker, or give a history file")
    x, t_x, big_t = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return _fitted(x, t_x, big_t, watermark_ms, f"customers of {settings.kafka.group}")


def _fitted(x: Ints, t_x: Ints, big_t: Ints, end_ms: int, source: str) -> BtydParameters:
    version = f"mbg-{datetime.fromtimestamp(end_ms / 1000, UTC):%Y%m%d}-{len(x)}"
    began_s = time.monotonic()
    try:
        parameters = fit_mbg_nbd(x, t_x, big_t, version=version, source=source, fitted_at_ms=end_ms)
    except ValueError as problem:
        raise CommandError(str(problem), "give more history") from None
    typer.echo(f"fit: {len(x)} customers, {time.monotonic() - began_s:.1f} s", err=True)
    return parameters


def _publish(settings: Settings, text: bytes) -> None:
    topic = settings.kafka.topic_prefix + MODELS
    try:
        producer = KafkaProducer(**kafka_client_options(settings), acks="all")
        producer.send(topic, key=CLOSED_FORM_KEY, value=text).get(10)
        producer.close()
    except KafkaError as problem:
        raise CommandError(f"{topic}: {type(problem).__name__}", "check kafka.bootstrap and `churnwatch topics check`") from None


def _day_ms(day: str | None) -> int | None:
    if day is None:
        return None
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise CommandError(f"--until: {day!r} is no day", "write it as YYYY-MM-DD") from None
