"""The parameters of the closed-form risk: a small versioned snapshot, treated like any model.

JSON, so that a person can read, keep and roll back what scored an alert.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

ModelName = Literal["mbg_nbd"]

YEAR_10000_MS = 253_402_300_800_000


class BtydParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of MBG/NBD, with time in days.

    model            "mbg_nbd": purchases at a customer's own rate; after each purchase, the first included, a chance to leave
    version          name of this snapshot, not empty; alerts carry it
    r, alpha_days    rates across customers: Gamma(shape r, rate alpha_days), purchases a day; both > 0
    a, b             chances to leave across customers: Beta(a, b); both > 0
    customers        customers fitted on, >= 0
    log_likelihood   of those customers, time in days; None where not known. (In weeks it is larger by ln 7 a repeat purchase.)
    fitted_at_ms     event time up to which data was used, ms since 1970 UTC, before the year 10000; None where it was not fitted
                     on this business
    source           where the data came from, in words

    Raises ValueError naming field, value and fix.
    """

    model: ModelName
    version: str
    r: float
    alpha_days: float
    a: float
    b: float
    customers: int
    log_likelihood: float | None
    fitted_at_ms: int | None
    source: str

    def __post_init__(self) -> None:
        if not self.version:
            raise ValueError("version = '': must not be empty; name the snapshot, e.g. 'shop-2026-07'")
        for name in ("r", "alpha_days", "a", "b"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise ValueError(f"{name} = {value!r}: must be above 0 and finite; fit the parameters again")
        if self.customers < 0:
            raise ValueError(f"customers = {self.customers}: must be 0 or more; give the number of customers fitted on")
        if self.fitted_at_ms is not None and not 0 <= self.fitted_at_ms < YEAR_10000_MS:
            raise ValueError(f"fitted_at_ms = {self.fitted_at_ms}: must be ms since 1970, before the year 10000, or null")
        if self.log_likelihood is not None and not math.isfinite(self.log_likelihood):
            raise ValueError(f"log_likelihood = {self.log_likelihood!r}: must be finite; leave it null where it is not known")


def dumps(parameters: BtydParameters) -> bytes:
    """The snapshot as JSON, keys in declared order, with a final newline: equal parameters are equal bytes.

    >>> loads(dumps(SHIPPED)) == SHIPPED
    True
    """
    return msgspec.json.format(msgspec.json.encode(parameters), indent=2) + b"\n"


def loads(data: bytes) -> BtydParameters:
    """The snapshot in `data`. Raises ValueError naming the field and what is wrong with it; unknown fields are errors.

    >>> loads(b'{"model": "mbg_nbd", "version": "v1"}')
    Traceback (most recent call last):
    ...
    ValueError: parameters: Object missing required field `r`; correct the file or write it anew with `churnwatch fit`
    """
    try:
        return msgspec.json.decode(data, type=BtydParameters)
    except msgspec.ValidationError as error:
        value = _value_at(data, str(error))
        raise ValueError(f"parameters: {error}{value}; correct the file or write it anew with `churnwatch fit`") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"parameters: not JSON ({error}); write the file anew with `churnwatch fit`") from None


def _value_at(data: bytes, message: str) -> str:
    """The value that msgspec found fault with, as ' (value ...)', where its message names a field."""
    _, found, rest = message.partition("at `$.")
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):  # further on it is no JSON at all; the first fault is told
        return ""
    name = rest.rstrip("`")
    if not found or not isinstance(document, dict) or name not in document:
        return ""
    return f" (value {document[name]!r})"


DAYS_A_WEEK = 7.0

SHIPPED = BtydParameters(
    model="mbg_nbd",
    version="shipped-cdnow-1",
    r=0.525,
    alpha_days=6.183 * DAYS_A_WEEK,
    a=0.891,
    b=1.614,
    customers=2357,
    log_likelihood=-9582.14 - 2457 * math.log(DAYS_A_WEEK),  # 2457 repeat purchases
    fitted_at_ms=None,
    source="CDNOW 1/10 sample, 39 weeks of calibration (Fader, Hardie & Lee 2005), published for weeks",
)
"""What scores until a business has fitted its own: an online music shop of 1997. Ranks well anywhere, calibrated nowhere else."""
