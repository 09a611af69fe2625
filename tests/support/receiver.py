"""A local HTTP receiver: keeps what is posted to it, and answers as the test says.

with receiver() as chat:
    chat.url("/hook")
    chat.status = 500           # or chat.hangs = True, chat.body = b'{"errcode": 310000}'
    chat.requests
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Request(NamedTuple):
    """One POST, and how it was answered: the status, 0 for never."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    answered: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """What it got, and how it answers from now on.

    status, body   of every answer
    hangs          requests are read and not answered until this is False again
    told           body of an answer to a GET, which is not kept
    refuses        text; a request whose body has it is answered with 400
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status, self.body, self.told = 200, b"{}", b"[]"
        self.refuses: str | None = None
        self._goes = threading.Event()
        self._goes.set()
        self._ended = False
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def hangs(self) -> bool:
        return not self._goes.is_set()

    @hangs.setter
    def hangs(self, value: bool) -> None:
        self._goes.clear() if value else self._goes.set()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def taken(self) -> list[Request]:
        """Those that it answered with success."""
        return [request for request in [*self.requests] if request.answered == 200]

    def close(self) -> None:
        self._ended = True
        self._goes.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hung = receiver.hangs
                receiver._goes.wait()
                status = 400 if receiver.refuses is not None and receiver.refuses.encode() in body else receiver.status
                parts = urlsplit(self.path)
                answered = 0 if hung else status
                receiver.requests.append(
                    Request(parts.path, dict(parse_qsl(parts.query)), dict(self.headers.items()), body, answered)
                )
                if not hung:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(receiver.body)))
                    self.end_headers()
                    self.wfile.write(receiver.body)

            def do_GET(self) -> None:
                receiver._goes.wait()
                self.send_response(receiver.status)
                self.send_header("Content-Length", str(len(receiver.told)))
                self.end_headers()
                self.wfile.write(receiver.told)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A client that left before its answer is what some tests are about."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """One that listens."""
    made = Receiver()
    try:
        yield made
    finally:
        made.close()
