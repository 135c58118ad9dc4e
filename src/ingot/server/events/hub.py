"""The listeners of one worker: what they asked for, and their streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from ingot.s3.eventrecords import Event, fits, render
from ingot.server.events.bus import Bus

# A listener that is so far behind is let go; it comes again and looks at what it missed.
_WAITING_MAX = 10_000
# Events that are waiting go out together, so many at the most.
_TOGETHER_MAX = 100
_LISTENERS_MAX = 1000


class Wish(NamedTuple):
    """What a listener wants to be told of.

    Attributes:
        bucket: only this one; empty for all.
        names: of events, such as `s3:ObjectCreated:*`.
        prefix: of keys.
        suffix: of keys.
    """

    bucket: str
    names: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def is_about(self, event: Event) -> bool:
        """Tell whether the listener wants this event."""
        if self.bucket and self.bucket != event.bucket:
            return False
        return fits(event, names=self.names, prefix=self.prefix, suffix=self.suffix)


class TooManyListenersError(Exception):
    """This worker has as many listeners as it takes."""


class EventHub:
    """Takes the events of one worker, and those that others send it.

    Args:
        bus: shared with the other workers.
        worker: the worker's number.
    """

    def __init__(self, bus: Bus | None = None, worker: int = 0) -> None:
        self._bus = bus or Bus()
        self._worker = worker
        self._streams: dict[_Stream, None] = {}
        self._seen_lost = self._bus.lost[worker]
        self._bus.listeners[worker] = 0  # of the worker that had this number before

    @property
    def wanted(self) -> bool:
        """Whether anybody listens anywhere: if not, nothing need be published."""
        return any(self._bus.listeners)

    def start(self) -> None:
        """Begin to hear what other workers send; from the event loop."""
        inbox = self._bus.inbox(self._worker)
        if inbox is not None:
            asyncio.get_running_loop().add_reader(inbox.fileno(), self._hear)

    def publish(self, event: Event) -> None:
        """Tell everybody who listens."""
        self._deliver(event)
        self._bus.send(event, sender=self._worker)

    def listen(self, wish: Wish, *, pulse_s: float, pulse: bytes) -> AsyncGenerator[bytes, None]:
        """Return a stream of JSON lines.

        It ends when the listener is too far behind, when events were lost, and with the worker.

        Args:
            wish: what it is about.
            pulse_s: how long it is silent at the most.
            pulse: what it says then, so that a dead connection is noticed.

        Raises:
            TooManyListenersError: there are too many.
        """
        if len(self._streams) >= _LISTENERS_MAX:
            raise TooManyListenersError
        stream = _Stream(wish)
        self._streams[stream] = None
        self._bus.listeners[self._worker] = len(self._streams)
        return self._lines(stream, pulse_s, pulse)

    def close(self) -> None:
        """End all streams."""
        for stream in self._streams:
            stream.end()

    async def _lines(
        self, stream: _Stream, pulse_s: float, pulse: bytes
    ) -> AsyncGenerator[bytes, None]:
        try:
            # The first byte tells the client that it is heard from here on.
            yield pulse
            while True:
                if self._bus.lost[self._worker] != self._seen_lost:
                    self._seen_lost = self._bus.lost[self._worker]
                    self.close()
                events = await stream.next(pulse_s)
                if events is None:
                    return
                yield render(events) + b"\n" if events else pulse
        finally:
            self._streams.pop(stream, None)
            self._bus.listeners[self._worker] = len(self._streams)

    def _hear(self) -> None:
        while (event := self._bus.receive(self._worker)) is not None:
            self._deliver(event)

    def _deliver(self, event: Event) -> None:
        for stream in self._streams:
            if stream.wish.is_about(event):
                stream.put(event)


class _Stream:
    """One listener: the events that wait for it."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(_WAITING_MAX)
        self._ended = asyncio.Event()

    def put(self, event: Event) -> None:
        """Let an event wait, or let go of a listener that is too far behind."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """End the stream."""
        self._ended.set()

    async def next(self, timeout_s: float) -> Sequence[Event] | None:
        """Return what happened, nothing after a while, and `None` at the end."""
        if self._ended.is_set():
            return None
        getting = asyncio.ensure_future(self._waiting.get())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait(
                {getting, ending}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not getting.done():
                return None if self._ended.is_set() else ()
            events = [getting.result()]
        finally:
            getting.cancel()
            ending.cancel()
        while len(events) < _TOGETHER_MAX and not self._waiting.empty():
            events.append(self._waiting.get_nowait())
        return events
