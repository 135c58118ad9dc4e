"""HTTPS through proxies: who waits for one, or for what is behind it, is ended by its cord."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.transport.cord import Cord, CutError
from ingot.transport.options import TlsOptions, TransportOptions
from ingot.transport.pool import Request, Transport

_PATIENCE_S = 30
_HEAD = b"HTTP/1.1 200 OK\r\n"


class SilentProxy:
    """Takes part in a request up to some step, and says nothing more.

    Args:
        step: where it falls silent: `connect`, `handshake`, `answer`, `body`, or `never`.
        certificate: of the peer behind it; and of itself, if it is secured.
        is_secured: whether it is spoken with under TLS.
    """

    def __init__(self, step: str, certificate: Path, *, is_secured: bool) -> None:
        self._step = step
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate)
        self._is_secured = is_secured
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.is_silent = threading.Event()
        self._ended = threading.Event()
        self.connections = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        scheme = "https" if is_secured else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.connections += 1
                with contextlib.suppress(OSError):
                    self._relay(peer)
                peer.close()

    def _relay(self, peer: socket.socket) -> None:
        if self._is_secured:
            peer = self._tls.wrap_socket(peer, server_side=True)
        assert peer.recv(65536).startswith(b"CONNECT peer.test:443 ")
        if self._step != "connect":
            peer.sendall(_HEAD + b"\r\n")
            if self._step != "handshake":
                peer = self._tls.wrap_socket(peer, server_side=True)
                while peer.recv(65536) and self._step != "answer":
                    peer.sendall(_HEAD + b"content-length: 100\r\n\r\n" + b"x" * 50)
                    if self._step == "body":
                        break
                    peer.sendall(b"x" * 50)
            elif not peer.recv(1):
                return
        self.is_silent.set()
        self._ended.wait(_PATIENCE_S)
        peer.close()


@contextlib.contextmanager
def through(proxy: SilentProxy) -> Iterator[Transport]:
    options = TransportOptions(
        connect_timeout_s=3600,
        read_timeout_s=3600,
        tls=TlsOptions(verify=False),
        environment={"https_proxy": proxy.url},
    )
    with contextlib.closing(proxy), Transport(options) as transport:
        yield transport


def get(transport: Transport) -> bytes:
    with transport.send(Request("GET", "https", "peer.test", 443, "/", {"host": "h"})) as response:
        return response.read(1000)


@pytest.mark.parametrize(
    ("step", "is_secured"),
    [
        ("connect", False),
        ("handshake", False),
        ("answer", False),
        ("body", False),
        ("connect", True),
        ("handshake", True),
    ],
)
def test_who_waits_is_cut(step: str, is_secured: bool, certificate: Path) -> None:
    proxy = SilentProxy(step, certificate, is_secured=is_secured)
    cord, ended = Cord(), threading.Event()

    def run() -> None:
        with contextlib.suppress(CutError):
            cord.run(get, transport)
            return
        ended.set()

    with through(proxy) as transport:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert proxy.is_silent.wait(_PATIENCE_S)
        cord.cut()
        assert ended.wait(_PATIENCE_S)
        thread.join()


def test_a_kept_tunnel_hangs_on_the_cord_of_its_request_only(certificate: Path) -> None:
    proxy = SilentProxy("never", certificate, is_secured=False)
    first = Cord()
    with through(proxy) as transport:
        assert first.run(get, transport) == b"x" * 100
        first.cut()
        assert Cord().run(get, transport) == b"x" * 100
        assert proxy.connections == 1
