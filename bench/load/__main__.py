"""Measure one operation of an S3 server and print requests per second and latencies as JSON.

Example: AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… python -m bench.load --op get --size 4K
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvloop

from bench.load.connection import Connection, Request, Tally
from bench.load.signing import Target, endless
from ingot.base.units import parse_duration, parse_size

_DURATION_S_MAX = 600.0  # well within the 15 minutes that signatures are good for
_PERCENTILES = (50, 90, 99, 99.9)
_OWN_ANSWER = 409  # the bucket is there already


async def run(
    target: Target, requests: Iterator[Request], connections: int, may_go_on: Callable[[], bool]
) -> Tally:
    """Send requests over `connections` connections until they end, and return what came back."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(
            lambda: Connection(requests, tally, may_go_on), target.host, target.port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.ended for _, protocol in opened))
    return tally


async def send_all(target: Target, requests: list[Request], connections: int, what: str) -> None:
    """Send each request once and stop the program unless all succeed."""
    tally = await run(target, iter(requests), min(connections, len(requests)), lambda: True)
    failures = {s: n for s, n in tally.statuses.items() if s >= 300 and s != _OWN_ANSWER}
    if failures:
        answer = tally.first_failure.decode(errors="replace")
        raise SystemExit(f"{what} failed: {failures}\n{answer}")


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Prepare the bucket, warm up, measure, and return the figures."""
    target = Target.of(
        arguments.endpoint,
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
        arguments.region,
    )
    size_bytes = parse_size(arguments.size)
    body = os.urandom(size_bytes)
    paths = [f"/{arguments.bucket}/load/{index:08d}" for index in range(arguments.objects)]
    puts = [
        target.request("PUT", path, body, sign_payload=not arguments.unsigned_payload)
        for path in paths
    ]
    await send_all(target, [target.request("PUT", f"/{arguments.bucket}")], 1, "CreateBucket")
    if arguments.op != "put":
        await send_all(target, puts, arguments.connections, "PutObject")
        puts = [target.request(arguments.op.upper(), path) for path in paths]
    requests_total = 0 if arguments.op == "put" else arguments.objects
    for duration_s in (arguments.warmup_s, arguments.duration_s):
        started_s = time.perf_counter()
        end_s = started_s + duration_s
        tally = await run(
            target,
            endless(puts),
            arguments.connections,
            lambda end_s=end_s: time.perf_counter() < end_s,
        )
        elapsed_s = time.perf_counter() - started_s
        requests_total += len(tally.latencies_s)
    document = figures(arguments, size_bytes, tally, elapsed_s)
    return document | {"requests_total": requests_total}


def figures(
    arguments: argparse.Namespace, size_bytes: int, tally: Tally, elapsed_s: float
) -> dict[str, Any]:
    """Return the result document; latencies in milliseconds."""
    latencies = sorted(tally.latencies_s)
    count = len(latencies)
    if not count:
        raise SystemExit("no request was answered in time")
    failures = {str(s): n for s, n in tally.statuses.items() if s >= 300}
    bytes_moved = count * size_bytes if arguments.op != "head" else 0
    return {
        "op": arguments.op,
        "size_bytes": size_bytes,
        "connections": arguments.connections,
        "duration_s": round(elapsed_s, 3),
        "requests": count,
        "requests_per_s": round(count / elapsed_s, 1),
        "mib_per_s": round(bytes_moved / elapsed_s / (1 << 20), 1),
        "latency_ms": {
            f"p{rank:g}": round(latencies[min(count - 1, int(count * rank / 100))] * 1000, 3)
            for rank in _PERCENTILES
        }
        | {"max": round(latencies[-1] * 1000, 3)},
        "failures": failures,
        "first_failure": tally.first_failure.decode(errors="replace")[:2000] if failures else None,
    }


def main() -> int:
    """Run the program; exit code 1 when a request failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--endpoint", default="http://127.0.0.1:9000")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--bucket", default="bench-load")
    parser.add_argument("--op", choices=["get", "head", "put"], default="get")
    parser.add_argument("--size", default="4K", help="object size, such as 4K or 16M")
    parser.add_argument("--objects", type=int, default=1000, help="how many keys to go round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--duration", dest="duration_s", type=parse_duration, default=10.0)
    parser.add_argument("--warmup", dest="warmup_s", type=parse_duration, default=1.0)
    parser.add_argument("--unsigned-payload", action="store_true")
    arguments = parser.parse_args()
    if arguments.duration_s + arguments.warmup_s > _DURATION_S_MAX:
        parser.error(f"signatures made ahead limit a run to {_DURATION_S_MAX:g} s")
    result = uvloop.run(measure(arguments))
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
