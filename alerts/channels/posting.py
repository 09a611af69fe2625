"""JSON over HTTP, bounded in time. What goes wrong is told by kind: the library's errors quote addresses, which hold tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp

from alerts.channels.port import DELIVERED, Answer

REFUSED_STATUSES = frozenset({400, 413, 414, 422})
"""These are about the message. Every other error may pass, or is the operator's to put right, and the message is good."""

MOST_BYTES = 16 * 1024 * 1024  # of an answer


class Reply(NamedTuple):
    """What came back: a status and the bytes of a body, or why nothing did."""

    status: int
    body: bytes = b""
    why: str = ""


class JsonClient:
    """Requests to one receiver or a few. Made anywhere; connects when it is first used.

    timeout_s   longest time for one request, from looking the name up to the last byte of the answer
    verify      whether certificates are checked
    """

    def __init__(self, timeout_s: float, *, verify: bool = True) -> None:
        self._timeout_s, self._verify = timeout_s, verify
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send `body` as JSON. Raises nothing that the network or the receiver causes."""
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._opened().request(method, url, data=data, params=params, headers=headers) as response,
            ):
                return Reply(response.status, await response.content.read(MOST_BYTES))
        except TimeoutError:
            return Reply(0, why=f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            return Reply(0, why=type(problem).__name__)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # a connection each: one kept open would be found dead by the first message after the receiver's restart
            connector = aiohttp.TCPConnector(force_close=True, ssl=self._verify)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout())  # bounded above
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def judged(reply: Reply) -> Answer:
    """What a status says.

    >>> judged(Reply(200)).outcome, judged(Reply(400)).outcome, judged(Reply(503)).why, judged(Reply(0, why="TimeoutError")).why
    ('delivered', 'refused', 'HTTP 503', 'TimeoutError')
    """
    if reply.why:
        return Answer("failed", reply.why)
    if 200 <= reply.status < 300:
        return DELIVERED
    return Answer("refused" if reply.status in REFUSED_STATUSES else "failed", f"HTTP {reply.status}")
