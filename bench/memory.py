"""What our server keeps in memory: idle, during a 5 GiB upload, and with 1,000 slow readers."""

import argparse
import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.load.connection import run
from bench.load.signing import Payload, Target
from bench.peers import ACCESS_KEY, PEERS, SECRET_KEY, Server, running
from ingot.base.units import GIB, KIB, MIB, parse_size
from ingot.s3.sigv4 import UNSIGNED_PAYLOAD

BUCKET = "/memory"
SLOW_OBJECT_BYTES = 64 * MIB
SLOW_STEP_BYTES = 4 * KIB
SLOW_PAUSE_S = 1.0
SAMPLE_PERIOD_S = 0.1


def main(arguments: list[str]) -> None:
    """Print a table of the memory of all processes together; needs room for the upload."""
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument("--upload", type=parse_size, default=5 * GIB, help="size of the upload")
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=15, help="how long readers linger")
    options = parser.parse_args(arguments)
    upload_gib, slow_mib = options.upload / GIB, SLOW_OBJECT_BYTES // MIB
    print(f"2 workers and their supervisor; {os.cpu_count()} cores\n")
    print("| state | sum of RSS, MiB | PSS, MiB | growth of RSS, MiB |\n|---|---|---|---|")
    with running(PEERS[0]) as server:
        target = Target.of(server.endpoint, ACCESS_KEY, SECRET_KEY, "us-east-1")
        _row("idle after the start", server.rss_bytes(), server.pss_bytes())
        asyncio.run(_warm_up(target))
        base_bytes = server.rss_bytes()
        _row("after 2,000 small requests", base_bytes, server.pss_bytes())
        with _highest(server) as highest:
            asyncio.run(_upload(target, options.upload))
        _row(f"highest during an upload of {upload_gib:g} GiB", *highest, base_bytes=base_bytes)
        with _highest(server) as highest:
            asyncio.run(_read_slowly(target, options.readers, options.seconds))
        title = f"highest with {options.readers:,} slow readers of {slow_mib} MiB"
        _row(title, *highest, base_bytes=base_bytes)


async def _warm_up(target: Target) -> None:
    small, large = (Payload.random(size, signed=False) for size in (4 * KIB, SLOW_OBJECT_BYTES))
    paths = [f"{BUCKET}/{index}" for index in range(1000)]
    puts = [target.request("PUT", path, small) for path in paths]
    gets = [target.request("GET", path) for path in paths]
    await run(target, iter([target.request("PUT", BUCKET)]), 1, lambda: True)
    await run(target, iter([target.request("PUT", f"{BUCKET}/large", large)]), 1, lambda: True)
    for requests in (puts, gets):
        tally = await run(target, iter(requests), 32, lambda: True)
        assert tally.statuses == {200: len(requests)}, tally.first_failure


async def _upload(target: Target, size_bytes: int) -> None:
    path = f"{BUCKET}/upload"
    unsigned = Payload(b"", UNSIGNED_PAYLOAD)
    headers = target.headers("PUT", path, unsigned, length_bytes=size_bytes)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(_head(f"PUT {path}", headers))
    piece = os.urandom(MIB)
    for _ in range(size_bytes // MIB):
        writer.write(piece)
        await writer.drain()
    status = await reader.readline()
    assert b" 200 " in status, status
    writer.close()


async def _read_slowly(target: Target, count: int, seconds: int) -> None:
    path = f"{BUCKET}/large"
    head = _head(f"GET {path}", target.headers("GET", path, Payload(b"", UNSIGNED_PAYLOAD)))
    loop = asyncio.get_running_loop()
    readers = []
    try:
        for _ in range(count):
            reader = socket.socket()
            readers.append(reader)
            # Else the kernel would take in megabytes for each reader.
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_STEP_BYTES)
            reader.setblocking(False)
            await loop.sock_connect(reader, (target.host, target.port))
            await loop.sock_sendall(reader, head)
        for _ in range(seconds):
            await asyncio.sleep(SLOW_PAUSE_S)
            for reader in readers:
                assert await loop.sock_recv(reader, SLOW_STEP_BYTES), "the server hung up"
    finally:
        for reader in readers:
            reader.close()


def _head(line: str, headers: dict[str, str]) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{line} HTTP/1.1\r\n{fields}\r\n".encode()


@contextmanager
def _highest(server: Server) -> Iterator[list[int]]:
    """Sample the memory (RSS, PSS) until the block ends; then the list holds the highest."""
    highest = [0, 0]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_PERIOD_S):
            highest[0] = max(highest[0], server.rss_bytes())
            highest[1] = max(highest[1], server.pss_bytes())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield highest
    finally:
        ended.set()
        sampler.join()


def _row(state: str, rss_bytes: int, pss_bytes: int, *, base_bytes: int | None = None) -> None:
    growth = "" if base_bytes is None else f"{(rss_bytes - base_bytes) / MIB:+.0f}"
    print(f"| {state} | {rss_bytes / MIB:.0f} | {pss_bytes / MIB:.0f} | {growth} |", flush=True)
