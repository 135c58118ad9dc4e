"""What a run did so far, served to Prometheus over HTTP while it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from ingot.base.errors import UsageError
from ingot.client.events import Event, Failed, Noted, Tally

_PATHS = frozenset({"/", "/metrics"})
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Monitor:
    """Counts events and tells the counts to whoever asks; a context manager.

    Args:
        address: `HOST:PORT` to answer at; without a host it is loopback.

    Raises:
        UsageError: it cannot be answered at.
    """

    def __init__(self, address: str) -> None:
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdecimal() or not port.isascii() or int(port) > 65_535:
            raise UsageError(f"{address!r} is no address", hint="write it like 127.0.0.1:9191")
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            server_version = "ingot"
            sys_version = ""
            timeout = 10

            def do_GET(self) -> None:
                if self.path not in _PATHS:
                    self.send_error(404)
                    return
                body = monitor.text().encode()
                self.send_response(200)
                self.send_header("Content-Type", _CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing: the terminal belongs to the command."""

        try:
            self._server = ThreadingHTTPServer(
                (host.strip("[]") or "127.0.0.1", int(port)), Handler
            )
        except OSError as error:
            raise UsageError(f"cannot answer at {address}: {error.strerror or error}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="monitor", daemon=True
        )
        self._tally = Tally()
        self._notes = 0
        self._began_s = time.time()
        self._last_failure_s = 0.0
        self._last_event_s = 0.0

    @property
    def address(self) -> str:
        """Where it answers."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def watched(self, events: Generator[Event]) -> Generator[Event]:
        """Pass events on and count them."""
        try:
            for event in events:
                self._tally.add(event)
                self._last_event_s = time.time()
                if isinstance(event, Failed):
                    self._last_failure_s = self._last_event_s
                elif isinstance(event, Noted):
                    self._notes += 1
                yield event
        finally:
            events.close()

    def text(self) -> str:
        """Return the counts as Prometheus reads them."""
        tally = self._tally
        rows = (
            ("copied_total", "counter", "Files and objects written.", tally.copied),
            ("copied_bytes_total", "counter", "Bytes of them.", tally.copied_bytes),
            ("removed_total", "counter", "Files and objects deleted.", tally.removed),
            ("unchanged_total", "counter", "Names that needed nothing.", tally.unchanged),
            ("skipped_total", "counter", "Names left out on purpose.", tally.skipped),
            ("failed_total", "counter", "Names that could not be made alike.", tally.failed),
            ("notes_total", "counter", "Outages and recoveries of a watch.", self._notes),
            ("start_time_seconds", "gauge", "When the run began.", self._began_s),
            ("last_event_time_seconds", "gauge", "When it last did anything.", self._last_event_s),
            (
                "last_failure_time_seconds",
                "gauge",
                "When a name last failed.",
                self._last_failure_s,
            ),
        )
        lines = []
        for name, kind, meaning, value in rows:
            lines.append(f"# HELP ingot_mirror_{name} {meaning}")
            lines.append(f"# TYPE ingot_mirror_{name} {kind}")
            lines.append(f"ingot_mirror_{name} {value:.3f}".removesuffix(".000"))
        return "\n".join(lines) + "\n"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
