"""`churnwatch customer ID`: state, risk, reasons and what is remembered of the past."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from alerts.alert import ValueAtStake
from alerts.ids import rfc3339
from alerts.render import cause_line, money
from streams.cli.errors import CommandError
from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from
from streams.runtime.connect import connected_store
from streams.runtime.customer_view import CustomerView, Judges, view_customer
from streams.runtime.model_in_use import model_in_use
from streams.runtime.partitioner import partition_of
from streams.runtime.rules import engine_rules
from streams.runtime.settings import Settings
from streams.tombstones import digest

TIER_STYLES = {"none": "green", "watch": "yellow", "high": "dark_orange", "critical": "bold red"}


def customer(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id, as in the events.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One customer: state, risk, reasons, timeline."""
    with one_line_errors():
        settings = settings_from(config)
        view, erased_ms = asyncio.run(_view(settings, customer_id))
    if view is None and erased_ms is not None:
        raise CommandError(
            f"customer {customer_id!r} was erased: all that is dated up to {rfc3339(erased_ms)}", "nothing of it is kept here"
        )
    if view is None:
        raise CommandError(f"customer {customer_id!r} is unknown", "check the id, and that a worker has read its events")
    if as_json:
        typer.echo(msgspec.json.encode(view).decode())
    else:
        Console().print(rendered(view, settings.money.base_currency))


async def _view(settings: Settings, customer_id: str) -> tuple[CustomerView | None, int | None]:
    """What is stored; where nothing is, up to when the customer is erased, ms (None: not, or there is no key to tell by)."""
    judges, partitions = Judges(engine_rules(settings), model_in_use(settings)), settings.kafka.partitions
    async with connected_store(settings) as store:
        view = await view_customer(store, customer_id, partitions, judges)
        if view is not None or settings.erasure.key is None:
            return view, None
        hashed = digest(settings.erasure.key.get_secret_value().encode(), customer_id)
        return None, await store.erased_at(partition_of(customer_id, partitions), hashed)


def rendered(view: CustomerView, currency: str) -> Panel:
    """The view as a person reads it."""
    parts: list[Table | Text] = [_verdict(view)]
    if view.reasons:
        parts += [Text(), _reasons(view)]
    cause = view.cause
    parts += [Text(), Text(f"probable cause: {cause_line(cause.cause, cause.why, cause.confidence, view.controllable)}")]
    parts += [Text(), _numbers(view, currency), Text(), _timeline(view)]
    title = Text.assemble((view.customer_id, "bold"), f"  partition {view.partition}  as of {view.as_of}")
    return Panel(Group(*parts), title=title, title_align="left", box=box.ROUNDED, padding=(1, 2))


def _verdict(view: CustomerView) -> Text:
    if view.risk is None:
        return Text("no purchase yet, so there is no risk to tell")
    line = Text.assemble(
        (view.tier.upper() if view.tier != "none" else "no alert", TIER_STYLES[view.tier]),
        f"   {view.risk_of.replace('_', ' ')} in the next {view.horizon_days:g} days: ",
        (f"{view.risk:.0%}", "bold"),
    )
    if view.idle_risk is not None:
        line.append(f"   silence against own rhythm: {view.idle_risk:.0%}")
    if view.alerted_since:
        line.append(f"\nalerted since {view.alerted_since}, alert {view.alert_id}")
    if view.next_look:
        line.append(f"\nnext look {view.next_look}   model {view.model}")
    return line


def _reasons(view: CustomerView) -> Table:
    table = Table("why", "log odds", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.columns[1].justify = "right"
    for reason in view.reasons:
        table.add_row(reason.text, "seen" if reason.contribution is None else f"{reason.contribution:+.2f}")
    return table


def _numbers(view: CustomerView, currency: str) -> Table:
    known = view.facts
    table = Table("", "7 days", "30 days", "90 days", "365 days", "life", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"

    def amount(minor: int) -> str:
        return money(ValueAtStake(minor, currency, ""))

    for name in ("purchases", "logins", "complaints"):
        windows = [getattr(known, f"{name}_{days}d") for days in (7, 30, 90, 365)]
        table.add_row(name, *map(str, windows), str(getattr(known, name)))
    spent = [getattr(known, f"spent_{days}d_minor") for days in (7, 30, 90, 365)]
    table.add_row("spent", *map(amount, spent), amount(known.spent_minor))
    table.add_row("refunded", "", "", amount(known.refunded_90d_minor), "", amount(known.refunded_minor))
    rhythm = "no rhythm yet" if known.usual_gap_days is None else f"every {known.usual_gap_days:g} days"
    scores = "not scored" if known.rfm is None else "R{} F{} M{}".format(*known.rfm)
    table.caption = f"{rhythm}, customer for {known.tenure_days:.0f} days, {known.segment} ({scores})"
    table.caption_justify = "left"
    return table


def _timeline(view: CustomerView) -> Table:
    table = Table("when", "what", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for moment in view.timeline:
        table.add_row(moment.at.replace("T", " ").removesuffix(".000Z").removesuffix(" 00:00:00"), moment.what)
    return table
