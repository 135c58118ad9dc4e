"""Ctrl-C while a registry is silent: pulls and pushes end at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.oci.store import ImageStore
from ingot.oci.transfer import import_images
from ingot.testing.images import SmallImage, write_layout

# Nothing here takes as long; only a command that waits for its registry does.
_PATIENCE_S = 30
_TLS_HANDSHAKE = b"\x16"


class SilentRegistry:
    """Tells manifests, and says nothing to who moves blobs."""

    def __init__(self, listener: socket.socket, image: SmallImage) -> None:
        self._listener = listener
        self._manifest = image.manifest()
        self.name = f"127.0.0.1:{listener.getsockname()[1]}"
        self.is_silent = threading.Event()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (data := connection.recv(65536)) and not data.startswith(_TLS_HANDSHAKE):
                if b"/manifests/" in data:
                    size = f"content-length: {len(self._manifest)}\r\n\r\n"
                    connection.sendall(f"HTTP/1.1 200 OK\r\n{size}".encode() + self._manifest)
                else:
                    self.is_silent.set()


@pytest.fixture
def silent(image: SmallImage) -> Iterator[SilentRegistry]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = SilentRegistry(listener, image)
        thread = threading.Thread(target=made.serve)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    "words", [["cache", "pull", "{name}/app:1"], ["pkg", "push", "app:1", "{name}/app:1"]]
)
def test_a_command_ends_at_once(
    silent: SilentRegistry, image: SmallImage, tmp_path: Path, words: list[str]
) -> None:
    store = ImageStore(tmp_path / "cache")
    write_layout(tmp_path / "one", {"app:1": [image]})
    if "push" in words:
        import_images(tmp_path / "one", None, store)
    env = {**os.environ, "HOME": str(tmp_path), "INGOT_CACHE_DIR": str(store.cache_dir)}
    command = [sys.executable, "-m", "ingot", *(word.format(name=silent.name) for word in words)]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            while not silent.is_silent.wait(0.1):
                assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_PATIENCE_S)
        finally:
            process.kill()
        assert process.returncode == 130
