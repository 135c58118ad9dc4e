"""Mirrors through a line that fails at random: what arrives is right, and so is the exit code."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_BUSY = (
    b"HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: 78\r\n"
    b"connection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>"
)
_TIMEOUT_S = 30


class Storm:
    """Passes connections on to a server; refuses some with 503, cuts others off in the middle.

    Args:
        port: of the server.
        rng: decides what happens to each connection.
        busy: share of connections that get a 503.
        cut: share of connections that end after some bytes of either side.
    """

    def __init__(self, port: int, rng: random.Random, *, busy: float, cut: float) -> None:
        self._target = ("127.0.0.1", port)
        self._rng = rng
        self._busy = busy
        self._cut = cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.port = self._listener.getsockname()[1]
        self.refused = self.cuts = 0
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(_TIMEOUT_S)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            fate = self._rng.random()
            limit = self._rng.randrange(1, 200_000) if fate < self._busy + self._cut else None
            thread = threading.Thread(target=self._serve, args=(client, fate < self._busy, limit))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, is_busy: bool, limit: int | None) -> None:
        client.settimeout(_TIMEOUT_S)
        with contextlib.suppress(OSError), client:
            if is_busy:
                client.recv(65_536)
                self.refused += 1
                client.sendall(_BUSY)
                return
            with socket.create_connection(self._target, _TIMEOUT_S) as server:
                back = threading.Thread(target=self._pump, args=(server, client, limit))
                back.start()
                self._pump(client, server, limit)
                back.join()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        """Carry bytes one way; at the limit both sides are cut off."""
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                passed += len(data)
                if limit is not None and passed > limit:
                    self.cuts += 1
                    break
                sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def storm(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Reach the shared server through a storm, as the alias `stormy`."""
    storms: list[Storm] = []

    def make(seed: int, **shares: float) -> Storm:
        storms.append(Storm(server.port, random.Random(seed), **shares))
        keys = f"{server.access_key}:{server.secret_key}"
        monkeypatch.setenv("MC_HOST_stormy", f"http://{keys}@127.0.0.1:{storms[-1].port}")
        return storms[-1]

    yield make
    for one in storms:
        one.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_storm_lets_through_is_whole_and_the_rest_is_told(
    cli: Any, remote: Any, storm: Any, files: Any, seed: int
) -> None:
    source, target = Path("src"), Path("dst")  # in the test's own folder
    files.fill(source, 40, seed)
    wild = storm(seed, busy=0.2, cut=0.4)
    stormy = f"stormy/{remote.bucket}"
    for _ in range(20):
        up = cli("mirror", "src", stormy)
        # Never a half of an object, whatever the end.
        wanted = files.contents(source)
        assert remote.objects().items() <= wanted.items()
        assert (up.code == 0) == (remote.objects() == wanted), up.err
        if up.code == 0:
            break
        assert up.code in (3, 7), up.err
    else:
        pytest.fail("the mirror never got through")
    for _ in range(20):
        down = cli("mirror", stormy, "dst")
        got = files.contents(target) if target.exists() else {}
        assert got.items() <= wanted.items()
        assert (down.code == 0) == (got == wanted), down.err
        if down.code == 0:
            break
        assert down.code in (3, 7), down.err
    assert wild.refused + wild.cuts > 0


def test_a_service_that_is_always_busy_ends_the_run_as_the_network(
    cli: Any, remote: Any, storm: Any, files: Any
) -> None:
    files.fill(Path("src"), 5)
    storm(1, busy=1.0, cut=0.0)
    result = cli("mirror", "src", f"stormy/{remote.bucket}")
    assert result.code == 7
    assert "unable to handle request" in result.err
    assert remote.objects() == {}
