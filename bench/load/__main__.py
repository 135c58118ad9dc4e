"""Measure one operation of an S3 server and print requests per second and latencies as JSON.

Example: AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… python -m bench.load --op get --size 4K
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from typing import Any

import uvloop

from bench.load.connection import Request, Tally, run
from bench.load.sequences import list_all, upload_in_parts
from bench.load.signing import Payload, Target
from bench.load.workloads import preparation, requests
from ingot.base.units import parse_duration, parse_size

OPERATIONS = ("get", "head", "put", "delete", "mixed", "list", "multipart")
_DURATION_S_MAX = 600.0  # well within the 15 minutes that signatures are good for
_PERCENTILES = (50, 90, 99, 99.9)
_OWN_ANSWER = 409  # the bucket is there already
_PREPARED_TOGETHER = 10_000


async def send_all(target: Target, wanted: list[Request], connections: int, what: str) -> None:
    """Send each request once and stop the program unless all succeed."""
    tally = await run(target, iter(wanted), min(connections, len(wanted)), lambda: True)
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
    payload = Payload.random(parse_size(arguments.size), signed=not arguments.unsigned_payload)
    paths = [f"/{arguments.bucket}/load/{index:08d}" for index in range(arguments.objects)]
    if arguments.phase != "measure":
        await send_all(target, [target.request("PUT", f"/{arguments.bucket}")], 1, "CreateBucket")
        puts = preparation(target, arguments.op, paths, payload)
        while some := list(itertools.islice(puts, _PREPARED_TOGETHER)):
            await send_all(target, some, arguments.connections, "PutObject")
        if arguments.phase == "prepare":
            return {"failures": {}}
    return await _measure_prepared(arguments, target, paths, payload)


async def _measure_prepared(
    arguments: argparse.Namespace, target: Target, paths: list[str], payload: Payload
) -> dict[str, Any]:
    connections = arguments.connections
    wanted = requests(target, arguments.op, paths, payload)

    async def go_on_for(duration_s: float) -> Tally:
        end_s = time.perf_counter() + duration_s
        if arguments.op == "list":
            return list_all(target, arguments.bucket, lambda: time.perf_counter() < end_s)
        if arguments.op == "multipart":
            return await upload_in_parts(
                target, paths[0], payload, connections, lambda: time.perf_counter() < end_s
            )
        return await run(target, wanted, connections, lambda: time.perf_counter() < end_s)

    # Each key is deleted once, which leaves nothing to warm up with.
    warm_up = arguments.warmup_s and arguments.op != "delete"
    warmed = len((await go_on_for(arguments.warmup_s)).latencies_s) if warm_up else 0
    started_s = time.perf_counter()
    tally = await go_on_for(arguments.duration_s)
    elapsed_s = time.perf_counter() - started_s
    document = figures(arguments, len(payload.data), tally, elapsed_s)
    return document | {"requests_total": warmed + len(tally.latencies_s)}


def figures(
    arguments: argparse.Namespace, size_bytes: int, tally: Tally, elapsed_s: float
) -> dict[str, Any]:
    """Return the result document; latencies in milliseconds."""
    latencies = sorted(tally.latencies_s)
    count = len(latencies)
    if not count:
        raise SystemExit("no request was answered in time")
    failures = {str(s): n for s, n in tally.statuses.items() if s >= 300}
    moves_bytes = arguments.op in {"get", "put", "multipart"}
    bytes_moved = count * size_bytes if moves_bytes else 0
    return {
        "op": arguments.op,
        "size_bytes": size_bytes,
        "connections": arguments.connections,
        "duration_s": round(elapsed_s, 3),
        "requests": count,
        "requests_per_s": round(count / elapsed_s, 3),
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
    parser.add_argument("--op", choices=OPERATIONS, default="get")
    parser.add_argument("--size", default="4K", help="object size, such as 4K or 16M")
    parser.add_argument("--objects", type=int, default=1000, help="how many keys to go round")
    parser.add_argument("--connections", type=int, default=32, help="for multipart also the parts")
    parser.add_argument("--duration", dest="duration_s", type=parse_duration, default=10.0)
    parser.add_argument("--warmup", dest="warmup_s", type=parse_duration, default=1.0)
    parser.add_argument("--unsigned-payload", action="store_true")
    parser.add_argument("--phase", choices=["all", "prepare", "measure"], default="all")
    arguments = parser.parse_args()
    if arguments.duration_s + arguments.warmup_s > _DURATION_S_MAX:
        parser.error(f"signatures made ahead limit a run to {_DURATION_S_MAX:g} s")
    result = uvloop.run(measure(arguments))
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
