"""Many messages told as one: how many, of which tier, and the most pressing by name. Its memory stays the same however many come.

Of two alerts the one of the higher tier is the more pressing; then the one of the higher risk; then the one with more at stake;
then the earlier. A customer is named once, as the last message had it. An alert that ended counts in `alerts` and in no tier, and
is not named.
"""

from __future__ import annotations

from hashlib import blake2b

from alerts.alert import Alert, Digest, DigestEntry, Message
from alerts.ids import rfc3339
from alerts.render import headline
from alerts.selection import known_as
from detectors.actions import TIERS, Tier

NAMED = 10
KEPT = 5 * NAMED
"""Candidates for being named: whoever's alert ends makes room for the next."""

Pressing = tuple[int, float, int, int]  # tier, risk, minor units at stake, less the number of the message


class DigestBuilder:
    """What one overflow digest stands for.

    channel   its name; part of the digest's id
    """

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self.clear()

    def clear(self) -> None:
        """Begin anew: the digest has been delivered."""
        self.messages = 0  # that were added
        self.first_ms = 0
        self._alerts = 0  # that they stand for: a digest stands for many
        self._by_tier: dict[Tier, int] = {}
        self._top: list[tuple[Pressing, DigestEntry]] = []
        self._name = blake2b(self._channel.encode(), digest_size=12, person=b"churnwatch.digst")

    def add(self, message: Message, now_ms: int) -> None:
        """Count one message more.

        now_ms   wall clock, ms since 1970
        """
        self.first_ms = self.first_ms if self.messages else now_ms
        self.messages += 1
        self._name.update(known_as(message).encode() + b"\0")
        if isinstance(message, Digest):
            self._add_digest(message)
        else:
            self._alerts += 1
        if isinstance(message, Alert):
            self._count_alert(message)

    def build(self, now_ms: int, *, named: bool = True) -> Digest:
        """The digest of all that was added. The same messages in the same order give the same id.

        now_ms   wall clock, ms since 1970
        named    False names nobody
        """
        return Digest(
            digest_id=self._name.hexdigest(),
            kind="overflow",
            since=rfc3339(self.first_ms),
            until=rfc3339(max(now_ms, self.first_ms)),
            alerts=self._alerts,
            by_tier=dict(self._by_tier),
            top=[entry for _, entry in self._top[:NAMED]] if named else [],
        )

    def _count_alert(self, alert: Alert) -> None:
        self._top = [named for named in self._top if named[1].customer_id != alert.customer_id]
        if alert.status == "firing":
            self._by_tier[alert.tier] = self._by_tier.get(alert.tier, 0) + 1
            entry = DigestEntry(customer_id=alert.customer_id, tier=alert.tier, risk=alert.risk, text=headline(alert))
            self._name_if_pressing(entry, alert.value_at_stake.amount_minor)

    def _add_digest(self, digest: Digest) -> None:
        self._alerts += digest.alerts
        for tier, count in digest.by_tier.items():
            self._by_tier[tier] = self._by_tier.get(tier, 0) + count
        for entry in digest.top:
            self._name_if_pressing(entry, 0)

    def _name_if_pressing(self, entry: DigestEntry, at_stake_minor: int) -> None:
        pressing = (TIERS.index(entry.tier), entry.risk, at_stake_minor, -self.messages)
        self._top.append((pressing, entry))
        self._top.sort(key=lambda named: named[0], reverse=True)
        del self._top[KEPT:]
