"""What is known of one customer at one event time: the plain values that reasons, causes and alerts are worded from.

Naming: `*_ms` event time in ms since 1970 UTC; `*_minor` minor units of the base currency; `*_days` days of 86,400 s;
`<what>_<n>d` over the rolling window of the last n days; no suffix means over the customer's life. None means that
there has been none yet, never zero.
"""

from __future__ import annotations

import msgspec


class CustomerFacts(msgspec.Struct, frozen=True, gc=False):
    """One customer at `as_of_ms`. Name the fields when making one by hand: there are many, and most are integers.

    purchases, purchase_days    purchase occasions, and different UTC days with one
    severity_*                  sum of the complaints' severities (1-5 each)
    refunds, refunded_minor     refunds are no purchases; amounts are positive
    first_purchase_day          days since 1970 UTC
    idle_days                   since the last purchase; None before the first
    usual_gap_days              median gap between purchase days; None with fewer than two
    gap_spread_days             median absolute deviation of those gaps
    tenure_days                 since the first event of any kind
    rfm                         (R, F, M) quintile scores, 1-5 each, 5 best; None before the first purchase
    segment                     name of the RFM segment
    """

    customer_id: str
    as_of_ms: int
    first_seen_ms: int
    first_purchase_day: int | None
    last_purchase_ms: int | None
    last_login_ms: int | None
    last_complaint_ms: int | None

    purchases: int
    purchase_days: int
    logins: int
    complaints: int
    severity_sum: int
    refunds: int
    spent_minor: int
    refunded_minor: int

    purchases_7d: int
    purchases_30d: int
    purchases_90d: int
    purchases_365d: int
    spent_7d_minor: int
    spent_30d_minor: int
    spent_90d_minor: int
    spent_365d_minor: int
    logins_7d: int
    logins_30d: int
    logins_90d: int
    logins_365d: int
    complaints_7d: int
    complaints_30d: int
    complaints_90d: int
    complaints_365d: int
    severity_7d: int
    severity_30d: int
    severity_90d: int
    severity_365d: int
    refunded_90d_minor: int

    idle_days: float | None
    usual_gap_days: float | None
    gap_spread_days: float | None
    tenure_days: float
    rfm: tuple[int, int, int] | None
    segment: str
