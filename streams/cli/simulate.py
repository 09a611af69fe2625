"""`churnwatch simulate`: customers whose truth is known, as a history file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from streams.backtest.history import HistoryError
from streams.backtest.mapping import is_currency
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history, write_truth
from streams.columns import DAY_MS
from streams.contract import END_TIME_MS, MIN_TIME_MS


def simulate(
    out: Annotated[Path, typer.Argument(help="History file to write: .csv or .jsonl, also .gz")],
    customers: Annotated[int, typer.Option(min=1, help="How many customers")] = 2000,
    days: Annotated[int, typer.Option(min=1, help="Length of the period")] = 365,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC")] = datetime(1997, 7, 1),
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes")] = 7,
    truth: Annotated[
        Path | None, typer.Option(help="CSV for each customer's truth: rate, end, whether and why they left")
    ] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of the amounts")] = "USD",
) -> None:
    """Simulate customers who buy, log in, complain and leave; logins thin out before they do, complaints drive them away."""
    start_ms = int(start.replace(tzinfo=UTC).timestamp()) * 1000
    if not is_currency(currency):
        raise HistoryError(f"--currency: {currency!r} is not an ISO 4217 code; write for example EUR")
    if not MIN_TIME_MS <= start_ms < END_TIME_MS - days * DAY_MS:
        raise HistoryError(f"--start: {start:%Y-%m-%d} and {days} days reach beyond 1980 to 2099, which events may carry")
    events, truths = simulate_customers(customers, days, start_ms, seed)
    write_history(out, events, currency, f"s{seed}-")
    if truth is not None:
        write_truth(truth, truths)
    left = sum(one.left for one in truths)
    typer.echo(f"{len(events)} events of {customers} customers over {days} days in {out}; {left} of them left", err=True)
