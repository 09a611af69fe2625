"""Every customer counted once more, by pandas and straight from the file: shares no code with reader, engine or record.

A table has one row an event: customer, time (UTC), type, amount (None where there is none), severity.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pandas as pd

COUNTED = (
    "purchases", "purchase_days", "spent_minor", "refunds", "refunded_minor", "complaints", "severity_sum", "logins",
    "first_seen_s", "first_day", "last_purchase_ms", "last_complaint_s", "last_login_s",
)  # fmt: skip
"""What is counted, named as the customer record's fields."""


def read_cdnow(path: Path) -> pd.DataFrame:
    """CDNOW_master.txt: customer, yyyymmdd, quantity, dollars."""
    table = pd.read_csv(path, sep=r"\s+", names=["customer", "day", "quantity", "amount"], skiprows=1, dtype=str)
    table["time"] = pd.to_datetime(table["day"], format="%Y%m%d", utc=True)
    table["type"], table["severity"] = "purchase", 0
    return table


def read_online_retail(path: Path) -> pd.DataFrame:
    """Online Retail II by invoice: local time of a British till; a cancellation is a refund."""
    table = pd.read_csv(path, dtype=str).rename(columns={"customer_id": "customer", "amount_gbp": "amount"})
    local = pd.to_datetime(table["occurred_at"], format="%Y-%m-%dT%H:%M:%S")
    # of a time that comes twice the first is meant, which is summer time
    table["time"] = local.dt.tz_localize("Europe/London", ambiguous=pd.Series(True, index=table.index)).dt.tz_convert("UTC")
    table["type"] = table["type"].map({"purchase": "purchase", "cancellation": "refund"})
    table["severity"] = 0
    return table


def read_plain(path: Path) -> pd.DataFrame:
    """A history file of our own columns."""
    table = pd.read_csv(path, dtype=str).rename(columns={"customer_id": "customer"})
    table["time"] = pd.to_datetime(table["occurred_at"], format="ISO8601", utc=True)
    table["severity"] = table["severity"].fillna("0").astype(int)
    return table


def recount(table: pd.DataFrame) -> pd.DataFrame:
    """COUNTED by customer; what never happened is 0."""
    table = table.assign(
        ms=(table["time"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(1, "ms"),
        minor=[0 if pd.isna(amount) else _minor(amount) for amount in table["amount"]],
    )
    table["day"] = table["ms"] // 86_400_000
    bought, refunded = table[table["type"] == "purchase"], table[table["type"] == "refund"]
    complained, logged_in = table[table["type"] == "complaint"], table[table["type"] == "login"]
    everyone = sorted(table["customer"].unique())
    counted = {
        "purchases": bought.drop_duplicates(["customer", "ms"]).groupby("customer").size(),
        "purchase_days": bought.groupby("customer")["day"].nunique(),
        "spent_minor": bought.groupby("customer")["minor"].sum(),
        "refunds": refunded.groupby("customer").size(),
        "refunded_minor": refunded.groupby("customer")["minor"].sum().abs(),
        "complaints": complained.groupby("customer").size(),
        "severity_sum": complained.groupby("customer")["severity"].sum(),
        "logins": logged_in.groupby("customer").size(),
        "first_seen_s": table.groupby("customer")["ms"].min() // 1000,
        "first_day": bought.groupby("customer")["day"].min(),
        "last_purchase_ms": bought.groupby("customer")["ms"].max(),
        "last_complaint_s": complained.groupby("customer")["ms"].max() // 1000,
        "last_login_s": logged_in.groupby("customer")["ms"].max() // 1000,
    }
    assert tuple(counted) == COUNTED
    return pd.DataFrame(counted).reindex(everyone).fillna(0).astype("int64")


def _minor(amount: str) -> int:
    """Hundredths; the files' currencies have two digits."""
    return int((Decimal(amount) * 100).quantize(Decimal(1), ROUND_HALF_EVEN))
