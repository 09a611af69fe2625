"""The randomised holdout: stable, keyed, uniform."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest

from alerts.stages.holdout import in_holdout


@pytest.mark.parametrize("customer", ["c-17", "c-18", "кли-9", "x" * 128])
def test_the_holdout_is_the_keyed_hash_and_nothing_else(customer):
    digest = blake2b(customer.encode(), key=b"salt", digest_size=8).hexdigest()
    u = int(digest, 16) / 2**64
    assert in_holdout(customer, u + 1e-9, "salt")
    assert not in_holdout(customer, u - 1e-9, "salt")


def test_the_holdout_of_some_customers_is_pinned():
    """From hashlib alone, by the expression in the test above; a change would redraw every running experiment."""
    assert [n for n in range(80) if in_holdout(f"c-{n}", 0.1, "churnwatch")] == [22, 39, 45, 48, 51, 52, 70, 76]


def test_the_holdout_takes_its_share_evenly_over_customers():
    """Binomial(20000, p): five standard deviations, and chi-squared over ten shares below its 99.99th percentile (df 9)."""
    n = 20_000
    below = [sum(in_holdout(f"customer-{i}", tenth / 10, "churnwatch") for i in range(n)) for tenth in range(11)]
    counts = np.diff(below)
    assert below[0] == 0
    assert below[10] == n
    assert ((counts - n / 10) ** 2 / (n / 10)).sum() < 33.7


def test_another_salt_draws_another_holdout():
    both = sum(in_holdout(f"c-{i}", 0.5, "a") == in_holdout(f"c-{i}", 0.5, "b") for i in range(10_000))
    assert abs(both - 5_000) < 5 * 50


def test_a_salt_longer_than_a_key_still_keys():
    long = ["s" * 65, "s" * 64 + "t", "s" * 500]
    draws = {tuple(in_holdout(f"c-{i}", 0.5, salt) for i in range(64)) for salt in long}
    assert len(draws) == 3


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match=r"policy.holdout_share is .*: must be from 0"):
        in_holdout("c-17", share, "churnwatch")
