"""The process beside a machine that passes its IPv6 ports on to IPv4 ones: QEMU publishes no other.

Started as `python -m ingot.vm.networks.relay PIDFD FD:ADDRESS:PORT…`: the descriptors are the
hypervisor's process, with which it ends, and sockets that listen; the addresses are of IPv4.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

CONNECTIONS_MAX = 1024
"""Of one port at a time; the next waits in the socket's queue."""
PEERS_MAX = 1024
"""Whose datagrams are answered; whoever was silent longest is forgotten first."""
PEER_IDLE_S = 120.0

_CHUNK_BYTES = 64 << 10
_DATAGRAM_BYTES_MAX = 64 << 10
_DATAGRAMS_AT_ONCE = 64

Target = tuple[str, int]
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def relay_tcp(listener: socket.socket, target: Target) -> asyncio.Server:
    """Pass the connections of a listening socket on."""
    places = asyncio.Semaphore(CONNECTIONS_MAX)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with places:
            try:
                inner = await asyncio.open_connection(*target)
            except OSError:
                writer.transport.abort()
                return
            await _both_ways((reader, writer), inner)

    return await asyncio.start_server(serve, sock=listener)


async def _both_ways(one: _Streams, other: _Streams) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_copy(one[0], other[1]))
            tasks.create_task(_copy(other[0], one[1]))
    except* OSError:
        # One end has gone without a word; so does the other.
        one[1].transport.abort()
        other[1].transport.abort()
    finally:
        for writer in (one[1], other[1]):
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    # Half of a connection may end while the other goes on.
    if writer.can_write_eof():
        writer.write_eof()


class DatagramRelay:
    """Passes datagrams on, and the answers back to whom each is for.

    Args:
        listener: where datagrams come in.
        target: where they go.
    """

    def __init__(self, listener: socket.socket, target: Target) -> None:
        self._listener = listener
        self._target = target
        self._loop = asyncio.get_running_loop()
        # By address, whoever spoke last at the end: their socket, and when that was.
        self._peers: OrderedDict[Any, tuple[socket.socket, float]] = OrderedDict()
        listener.setblocking(False)
        self._loop.add_reader(listener, self._come_in)

    def close(self) -> None:
        """Forget everybody."""
        self._loop.remove_reader(self._listener)
        while self._peers:
            self._forget_oldest()

    def _come_in(self) -> None:
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                data, address = self._listener.recvfrom(_DATAGRAM_BYTES_MAX)
            except OSError:
                return
            inner = self._inner(address)
            # A datagram may be lost; whoever needs an answer asks again.
            with contextlib.suppress(OSError):
                inner.send(data)

    def _inner(self, address: Any) -> socket.socket:
        now_s = self._loop.time()
        while self._peers and next(iter(self._peers.values()))[1] < now_s - PEER_IDLE_S:
            self._forget_oldest()
        known = self._peers.pop(address, None)
        if known is None:
            if len(self._peers) >= PEERS_MAX:
                self._forget_oldest()
            inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            inner.setblocking(False)
            inner.connect(self._target)
            self._loop.add_reader(inner, self._go_out, inner, address)
        else:
            inner = known[0]
        self._peers[address] = (inner, now_s)
        return inner

    def _go_out(self, inner: socket.socket, address: Any) -> None:
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                data = inner.recv(_DATAGRAM_BYTES_MAX)
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._listener.sendto(data, address)

    def _forget_oldest(self) -> None:
        _, (inner, _) = self._peers.popitem(last=False)
        self._loop.remove_reader(inner)
        inner.close()


async def relay(process: int, doors: Sequence[tuple[socket.socket, Target]]) -> None:
    """Pass on until a process has ended.

    Args:
        process: its descriptor (pidfd_open(2)).
        doors: what listens, and what is behind it.
    """
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(process, ended.set)
    servers: list[asyncio.Server | DatagramRelay] = []
    for listener, target in doors:
        if listener.type == socket.SOCK_STREAM:
            servers.append(await relay_tcp(listener, target))
        else:
            servers.append(DatagramRelay(listener, target))
    await ended.wait()
    for server in servers:
        server.close()


def main(words: Sequence[str]) -> None:
    """Detach from whoever started it, and pass on."""
    process, *doors = words
    parsed = []
    for door in doors:
        descriptor, address, port = door.split(":")
        parsed.append((socket.socket(fileno=int(descriptor)), (address, int(port))))
    # Who waits for this process to end knows then that it works.
    if os.fork():
        os._exit(0)
    asyncio.run(relay(int(process), parsed))


if __name__ == "__main__":
    main(sys.argv[1:])
