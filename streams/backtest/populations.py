"""Simulated customers with one known effect each, to see whether it is learnt.

    complaints-drive-away    who complains may leave over it, the likelier the graver: a complaint is a bad sign
    complaints-of-the-loyal  a quarter of the customers complain, and these stay five times as long: it is a good sign
    logins-thin-out          nobody complains, and logins become fewer over the 45 days before the last purchase: a silent
                             account is a bad sign

But for the effect they live alike: by MBG/NBD, a purchase in sixteen days in the mean.
"""

from __future__ import annotations

from typing import Final

from streams.backtest.simulation import Population

POPULATIONS: Final = {
    "complaints-drive-away": Population(
        leave_a=0.6, leave_b=12.0, complaint_share=0.1, complaint_leaves=0.9, logins_per_purchase=0.0, refund_share=0.0
    ),
    "complaints-of-the-loyal": Population(
        complaint_share=0.15, complaint_leaves=0.0, outspoken_share=0.25, outspoken_leave=0.2, logins_per_purchase=0.0,
        refund_share=0.0,
    ),
    "logins-thin-out": Population(complaint_share=0.0, refund_share=0.0),
}  # fmt: skip
