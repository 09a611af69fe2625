"""A share of customers whom retention leaves alone, so that what it achieves can be measured.

u(customer) = blake2b(customer_id, key=salt, 8 bytes, big-endian, upper 53 bits) / 2^53, uniform in [0, 1);
in the holdout where u < share. Stable for ever under one salt; a larger share contains every smaller one. A new
salt draws a new holdout, which ends every comparison with the old one.
"""

from __future__ import annotations

from hashlib import blake2b

MAX_KEY_BYTES = 64  # of blake2b


def in_holdout(customer_id: str, share: float, salt: str) -> bool:
    """Whether a customer belongs to the randomised holdout.

    customer_id   1-128 characters
    share         part of all customers that is held out, 0..1; 0 holds out nobody, 1 everybody
    salt          any text; above 64 bytes of UTF-8 its blake2b digest is the key, as HMAC does
    Raises ValueError for a share outside 0..1.

    >>> in_holdout("c-17", 1.0, "churnwatch"), in_holdout("c-17", 0.0, "churnwatch")
    (True, False)
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"policy.holdout_share is {share}: must be from 0 (nobody) to 1 (everybody)")
    return _uniform(customer_id, salt) < share


def _uniform(customer_id: str, salt: str) -> float:
    key = salt.encode()
    if len(key) > MAX_KEY_BYTES:
        key = blake2b(key).digest()
    digest = blake2b(customer_id.encode(), key=key, digest_size=8).digest()
    return float((int.from_bytes(digest, "big") >> 11) / 2**53)
