"""Ctrl-C while a peer is silent: programs end at once and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ingot.base.units import MIB

# Nothing here takes as long; only a program that waits for its peer does.
_PATIENCE_S = 30
_CREATED = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
_IN_PARTS_BYTES = 80 * MIB
_IN_ONE_BYTES = 5 * MIB

_PROGRAM = """
import sys
from pathlib import Path
from ingot.s3client import Transfers, TransferOptions, TransportOptions, connect
url, verb, path = sys.argv[1:]
options = TransportOptions(read_timeout_s=3600)
with connect(url, "a", "b", options=options) as client:
    with Transfers(client, TransferOptions(split_from_bytes=1, copy_from_bytes=1)) as transfers:
        if verb == "up":
            transfers.upload_file(Path(path), "b", "k")
        elif verb == "down":
            transfers.download_file("b", "k", Path(path))
        elif verb == "across":
            transfers.upload_object(client, "b", "k", "b", "copy")
        else:
            transfers.copy_object("b", "k", "b", "copy")
"""


class SilentPeer:
    """A service that tells what is there, and says nothing to who moves bytes."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.is_asked_for_bytes = threading.Event()
        self.methods: list[str] = []
        self.size_bytes = _IN_PARTS_BYTES
        self.is_listed = True

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            self._serve_one(connection)

    def _serve_one(self, connection: socket.socket) -> None:
        data = b""
        while piece := connection.recv(65536):
            data += piece
            head, end, rest = data.partition(b"\r\n\r\n")
            if end:
                self._answer(connection, head.decode())
                data = rest

    def _answer(self, connection: socket.socket, head: str) -> None:
        method, target, _ = head.split(maxsplit=2)
        self.methods.append(method)
        if method == "HEAD" and target.startswith("/b/k"):
            size = f"content-length: {self.size_bytes}"
            connection.sendall(f'HTTP/1.1 200 OK\r\n{size}\r\netag: "x-1"\r\n\r\n'.encode())
        elif method == "HEAD" and target == "/b":
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        elif method == "HEAD":
            connection.sendall(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")
        elif method == "DELETE":
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif method == "POST":
            connection.sendall(_with_length(_CREATED))
        elif method == "GET" and not target.startswith("/b/k"):
            connection.sendall(_with_length(self._listed()))
        else:
            self.is_asked_for_bytes.set()

    def _listed(self) -> bytes:
        key = f"<Contents><Key>k</Key><Size>{self.size_bytes}</Size><ETag>x-1</ETag>"
        key += "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
        return f"<ListBucketResult>{key * self.is_listed}</ListBucketResult>".encode()


def _with_length(document: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(document) + document


@pytest.fixture
def peer() -> Iterator[SilentPeer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = SilentPeer(listener)
        threading.Thread(target=made.serve, daemon=True).start()
        yield made


def sparse(path: Path, size_bytes: int) -> None:
    path.touch()
    os.truncate(path, size_bytes)


def interrupted(peer: SilentPeer, command: Sequence[str], home: Path, number: int) -> int:
    """Run a command, send a signal once it waits for bytes, and return its exit code."""
    env = {
        **os.environ,
        "HOME": str(home),
        "INGOT_CONFIG_DIR": str(home / "config"),
        "MC_HOST_x": peer.url.replace("://", "://access:secret@"),
    }
    with subprocess.Popen(
        [sys.executable, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            while not peer.is_asked_for_bytes.wait(0.1):
                assert process.poll() is None, process.communicate()
            process.send_signal(number)
            process.communicate(timeout=_PATIENCE_S)
        finally:
            process.kill()
        return process.returncode


@pytest.mark.parametrize("verb", ["up", "down", "across", "copy"])
def test_a_program_does_not_wait_for_parts_that_a_peer_holds(
    peer: SilentPeer, tmp_path: Path, verb: str
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    path = folder / "f"
    if verb == "up":
        sparse(path, _IN_PARTS_BYTES)
    interrupted(peer, ["-c", _PROGRAM, peer.url, verb, str(path)], tmp_path, signal.SIGINT)
    assert [path] * (verb == "up") == list(folder.iterdir())
    assert ("POST" in peer.methods) == ("DELETE" in peer.methods) == (verb != "down")


@pytest.mark.parametrize(
    "words",
    [
        ["cp", "x/b/k", "{folder}/new"],
        ["get", "x/b/k", "{folder}/new"],
        ["mirror", "x/b", "{folder}/new"],
        ["cp", "{folder}/old", "x/b/kk"],
        ["put", "{folder}/old", "x/b/kk"],
        ["mirror", "{folder}", "x/b"],
        ["cp", "x/b/k", "x/b/kk"],
        ["cat", "x/b/k"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("size_bytes", [_IN_ONE_BYTES, _IN_PARTS_BYTES], ids=["one", "parts"])
def test_a_command_ends_at_once_and_leaves_nothing(
    peer: SilentPeer, tmp_path: Path, words: list[str], size_bytes: int
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    old = folder / "old"
    sparse(old, size_bytes)
    peer.size_bytes = size_bytes
    peer.is_listed = words[1] == "x/b"
    command = ["-m", "ingot", *(word.format(folder=folder) for word in words)]
    assert interrupted(peer, command, tmp_path, signal.SIGINT) == 130
    assert [path for path in folder.rglob("*") if path.is_file()] == [old]
    assert ("POST" in peer.methods) == ("DELETE" in peer.methods)


def test_a_command_that_is_terminated_ends_as_well(peer: SilentPeer, tmp_path: Path) -> None:
    command = ["-m", "ingot", "cp", "x/b/k", str(tmp_path / "new")]
    assert interrupted(peer, command, tmp_path, signal.SIGTERM) == 143
    assert not list(tmp_path.glob("*new*"))
