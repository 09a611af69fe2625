"""A wire between workers and a Redis that a test can cut, silence, lead elsewhere, or take answers from.

with RedisProxy(server.port) as wire:
    wire.url                    # for the workers
    wire.silence()              # connections stay, and nothing passes
    wire.mend()
    wire.lose_answers(3, sha)   # the next three answers to this script: its effect is there, and nobody is told
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

_CHUNK = 1 << 16


class _Wire:
    """One client's connection and the server's end of it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.asked = False
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def cut(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class RedisProxy:
    """Passes bytes between clients and 127.0.0.1:port. Methods may be called from any thread.

    lost_answers   how many answers were taken away so far
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.lost_answers = 0
        self._to_lose, self._sign = 0, b""
        self._passes, self._lock, self._wires = threading.Event(), threading.Lock(), set[_Wire]()
        self._passes.set()
        self._accepting = threading.Thread(target=self._accept, name="redis-proxy", daemon=True)

    def __enter__(self) -> RedisProxy:
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        self.mend()

    def silence(self) -> None:
        """Nothing passes any more, and nobody is told: as when a network swallows packets."""
        self._passes.clear()

    def mend(self) -> None:
        """Let all pass; connections of before are gone."""
        with self._lock:
            for wire in self._wires:
                wire.cut()
        self._passes.set()

    def lead_to(self, port: int) -> None:
        """From now on the server is another one; connections to the former are gone."""
        self._to = port
        self.mend()

    def lose_answers(self, many: int, sign: str) -> None:
        """The answers to the next so many requests that hold `sign` never arrive; their connections break instead."""
        with self._lock:
            self._to_lose, self._sign = many, sign.encode()

    # -- the threads ------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # we end
                return
            try:
                wire = _Wire(client, socket.create_connection(("127.0.0.1", self._to)))
            except OSError:  # there is no server: as if it were not there
                client.close()
                continue
            with self._lock:
                self._wires.add(wire)
            pumps = [threading.Thread(target=pump, args=(wire,), daemon=True) for pump in (self._ask, self._answer)]
            for thread in pumps:
                thread.start()

    def _ask(self, wire: _Wire) -> None:
        with contextlib.suppress(OSError):
            while data := wire.client.recv(_CHUNK):
                self._passes.wait()
                with self._lock:
                    if self._to_lose and self._sign in data:
                        self._to_lose -= 1
                        wire.asked = True
                wire.server.sendall(data)
        wire.cut()

    def _answer(self, wire: _Wire) -> None:
        with contextlib.suppress(OSError):
            while data := wire.server.recv(_CHUNK):
                self._passes.wait()
                if wire.asked:
                    self.lost_answers += 1
                    break
                wire.client.sendall(data)
        wire.cut()
        with self._lock:
            self._wires.discard(wire)
