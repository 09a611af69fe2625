"""Alerts into Prometheus Alertmanager, API v2.

Alertmanager keeps alerts in memory, and only as long as somebody repeats them. So what stands is repeated with every
`refresh`; what ended is repeated for a quarter of an hour, as Prometheus does, for a member of a cluster that was away. Whoever
takes the channel over asks Alertmanager what stands of its own system; what another began is for that one to repeat and to end.
Only when Alertmanager and the worker end at the same time does an alert stay away until its next message.

Members of one cluster do not tell one another of alerts: each gets all, and the message is delivered when one has it.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from aiohttp import encode_basic_auth

from alerts.alert import Digest, Message
from alerts.channels.alertmanager_alerts import HOLD_MS, INGESTION, MODEL, RISK, Posted, ended, passes, posted
from alerts.channels.port import DELIVERED, Answer
from alerts.channels.posting import JsonClient, Reply, judged
from alerts.ids import rfc3339
from detectors.actions import Tier

STANDING = 10_000
"""Alerts that are repeated, at most; of more, the oldest are not."""
ENDED_MS = 15 * 60_000
BATCH = 500
CLOCKS_DIFFER_MS = 60_000

Labels = frozenset[tuple[str, str]]


class Address(NamedTuple):
    """Where one Alertmanager is, and the headers that log in there."""

    alerts: str
    headers: dict[str, str]


def address(url: str) -> Address:
    """Of the API's alerts, from the address that an operator gives: http(s)://[USER:PASSWORD@]HOST[:PORT][/PREFIX].

    >>> address("http://me:p%40ss@a:9093/am/")
    Address(alerts='http://a:9093/am/api/v2/alerts', headers={'Authorization': 'Basic bWU6cEBzcw=='})
    """
    parts = urlsplit(url)
    headers = {}
    if parts.username is not None:
        headers["Authorization"] = encode_basic_auth(unquote(parts.username), unquote(parts.password or ""))
    host = parts.netloc.rpartition("@")[2]
    return Address(urlunsplit((parts.scheme, host, parts.path.rstrip("/") + "/api/v2/alerts", "", "")), headers)


class Alertmanager:
    """The channel to one Alertmanager, or to the members of one cluster.

    urls         see `address`
    system       whose alerts these are, among all that tell this Alertmanager
    least_tier   below it no alert begins
    timeout_s    longest time for one request
    now_ms       wall clock, ms since 1970
    """

    def __init__(
        self, urls: Sequence[str], *, system: str, least_tier: Tier, timeout_s: float, now_ms: Callable[[], int]
    ) -> None:
        self._addresses = [address(url) for url in urls]
        self._client = JsonClient(timeout_s)
        self._system, self._least_tier, self._now_ms = system, least_tier, now_ms
        self._known: OrderedDict[str, dict[Labels, Posted]] = OrderedDict()  # by alert_id
        self._asked = False

    async def send(self, message: Message) -> Answer:
        """Post what the message begins and ends, and the end of whatever else stands of the same alert."""
        if not self._asked and not await self._adopt():
            return Answer("failed", "does not answer")
        now_ms = self._now_ms()
        alerts = posted(message, now_ms, system=self._system, least_tier=self._least_tier)
        now = {_labels(alert) for alert in alerts}
        others = [] if isinstance(message, Digest) else self._known.get(message.alert_id, {}).items()
        alerts += [ended(alert, now_ms) for labels, alert in others if labels not in now and alert["endsAt"] > rfc3339(now_ms)]
        answer = await self._post(alerts)
        if answer.outcome == "delivered":
            self._remember(alerts)
        return answer

    def shows(self, message: Message) -> bool:
        """Whether the alert stands there, or did a moment ago."""
        return not isinstance(message, Digest) and message.alert_id in self._known

    async def refresh(self) -> Answer:
        """Post again what stands and what ended a moment ago, up to the first batch that is not taken. The next begins anew."""
        if not self._asked and not await self._adopt():
            return Answer("failed", "does not answer")
        alerts = self._to_repeat(self._now_ms())
        for batch in _batches(alerts):
            answer = await self._post(batch)
            if answer.outcome != "delivered":
                return answer
        return DELIVERED

    async def close(self) -> None:
        """Leave the connections."""
        await self._client.close()

    def _to_repeat(self, now_ms: int) -> list[Posted]:
        long_ended = rfc3339(now_ms - ENDED_MS)
        now, ends_at = rfc3339(now_ms), rfc3339(now_ms + HOLD_MS)
        for alert_id, alerts in [*self._known.items()]:
            kept = {labels: alert for labels, alert in alerts.items() if alert["endsAt"] >= long_ended}
            self._known[alert_id] = {
                labels: alert | {"endsAt": ends_at} if alert["endsAt"] > now and not passes(alert) else alert
                for labels, alert in kept.items()
            }
            if not kept:
                del self._known[alert_id]
        return [alert for alerts in self._known.values() for alert in alerts.values()]

    def _remember(self, alerts: Iterable[Posted]) -> None:
        for alert in alerts:
            alert_id = alert["labels"].get("alert_id")
            if alert_id is not None:  # a digest has none
                self._known.setdefault(alert_id, {})[_labels(alert)] = alert
                self._known.move_to_end(alert_id)
        while len(self._known) > STANDING:
            self._known.popitem(last=False)

    async def _adopt(self) -> bool:
        """Take over what stands there of ours; False when nobody answered, or only with a 5xx, which may pass. One that answers,
        but will not tell, is not asked again."""
        replies = await asyncio.gather(*(self._ask(there) for there in self._addresses))
        now_ms = self._now_ms()
        self._remember(alert for reply in replies for alert in _standing(reply, self._system, now_ms))
        self._asked = any(0 < reply.status < 500 for reply in replies)
        return self._asked

    async def _ask(self, there: Address) -> Reply:
        wanted = [f'alertname=~"{RISK}|{INGESTION}|{MODEL}"', f"system={json.dumps(self._system)}"]
        query = urlencode([("filter", matcher) for matcher in wanted])
        return await self._client.request("GET", f"{there.alerts}?{query}", headers=there.headers)

    async def _post(self, alerts: Sequence[Posted]) -> Answer:
        requests = (self._client.request("POST", there.alerts, body=alerts, headers=there.headers) for there in self._addresses)
        return _of_all([judged(reply) for reply in await asyncio.gather(*requests)])


def _labels(alert: Posted) -> Labels:
    return frozenset(alert["labels"].items())


def _standing(reply: Reply, system: str, now_ms: int) -> list[Posted]:
    """Of what Alertmanager told, what this system began and did not end."""
    if reply.status != 200:
        return []
    try:
        told = json.loads(reply.body)
        found = [{name: alert[name] for name in ("labels", "annotations", "startsAt", "endsAt")} for alert in told]
    except (ValueError, TypeError, KeyError):  # something else than Alertmanager
        return []
    ends_later = rfc3339(now_ms + CLOCKS_DIFFER_MS)
    ours = [alert for alert in found if "alert_id" in alert["labels"] and alert["labels"].get("system") == system]
    return [alert for alert in ours if alert["endsAt"] > ends_later]


def _of_all(answers: Sequence[Answer]) -> Answer:
    """Delivered when one has it; refused when all refuse.

    >>> _of_all([Answer("failed", "HTTP 503"), DELIVERED]).outcome
    'delivered'
    >>> _of_all([Answer("failed", "HTTP 503"), Answer("refused", "HTTP 400")])
    Answer(outcome='failed', why='HTTP 503, HTTP 400')
    """
    if any(answer.outcome == "delivered" for answer in answers):
        return DELIVERED
    refused = all(answer.outcome == "refused" for answer in answers)
    return Answer("refused" if refused else "failed", ", ".join(dict.fromkeys(answer.why for answer in answers)))


def _batches(alerts: Sequence[Posted]) -> Iterable[Sequence[Posted]]:
    rest = iter(alerts)
    return iter(lambda: [*islice(rest, BATCH)], [])
