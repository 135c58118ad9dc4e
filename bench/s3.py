"""Requests per second of our server and its peers: same load program, same run, interleaved."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from bench.peers import ACCESS_KEY, SECRET_KEY, Peer, Server, installed, running

LOAD_TIMEOUT_S = 600
Figures = dict[str, Any]
_COLUMNS = (
    *("workload", "server", "requests/s", "MiB/s", "CPU µs each", "p50 ms", "p99 ms", "RSS MiB"),
    "ratio",
)


class Workload(NamedTuple):
    """One row of the table.

    Attributes:
        objects: how many keys it goes round; for DELETE how many there are in a round.
        unsigned: whether the body is left out of the signature, as SDKs do with large ones: then
            nothing but MD5 bounds a PUT.
        quick: whether the short run has it.
    """

    op: str
    size: str
    connections: int
    objects: int = 1000
    unsigned: bool = False
    quick: bool = False

    @property
    def title(self) -> str:
        """What the table calls it."""
        if self.op == "list":
            return f"list {self.objects:,} keys"
        return f"{self.op.upper()} {self.size}, {self.connections} conn."


SMALL = tuple(
    Workload(op, size, connections, objects, quick=connections == 32)
    for size, objects in (("4K", 1000), ("64K", 1000), ("1M", 100))
    for op in ("get", "put")
    for connections in (1, 32, 128)
)
WORKLOADS = (
    *SMALL,
    *(Workload("head", "4K", connections, quick=connections == 32) for connections in (1, 32, 128)),
    *(
        Workload("delete", "4K", connections, objects=4000, quick=connections == 32)
        for connections in (1, 32, 128)
    ),
    Workload("mixed", "4K", 32, quick=True),
    Workload("mixed", "64K", 32),
    Workload("get", "256M", 1, objects=1, quick=True),
    Workload("put", "256M", 1, objects=1, unsigned=True, quick=True),
    Workload("multipart", "256M", 8, objects=1, unsigned=True, quick=True),
    Workload("list", "1", 32, objects=100_000),
    Workload("list", "1", 32, objects=5_000, quick=True),
)


def main(arguments: list[str]) -> None:
    """Run the workloads against every installed server and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench s3", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", default="3s", help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="fewer workloads, one round of 1 s")
    parser.add_argument("--only", help="workloads whose title contains this, such as 'put 64K'")
    parser.add_argument("--peer", action="append", help="beside ours; all that are installed")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.duration = 1, "1s"
    peers = [
        peer
        for peer in installed()
        if peer.program is None or options.peer is None or peer.name in options.peer
    ]
    with ExitStack() as stack:
        servers = [server for peer in peers if (server := _started(peer, stack)) is not None]
        print(f"servers: {', '.join(server.name for server in servers)}; {os.cpu_count()} cores;")
        print(f"median of {options.rounds} interleaved rounds of {options.duration}\n")
        print(f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|")
        for workload in _chosen(options):
            _print_rows(workload, _interleaved(workload, servers, options))


def _started(peer: Peer, stack: ExitStack) -> Server | None:
    """Start a server; of peers there are versions that lack what is needed."""
    try:
        return stack.enter_context(running(peer))
    except RuntimeError as error:
        if peer.program is None:
            raise
        print(f"left out: {peer.name}: {error}", file=sys.stderr)
        return None


def _chosen(options: argparse.Namespace) -> list[Workload]:
    wanted = (options.only or "").lower()
    return [
        workload
        for workload in WORKLOADS
        if (workload.quick or not options.quick) and wanted in workload.title.lower()
    ]


def _interleaved(
    workload: Workload, servers: list[Server], options: argparse.Namespace
) -> dict[str, list[Figures] | str]:
    """Return the figures of each server's rounds, or how it failed."""
    results: dict[str, list[Figures] | str] = {server.name: [] for server in servers}
    for number in range(options.rounds):
        for server in servers:
            rounds = results[server.name]
            if isinstance(rounds, str):
                continue
            try:
                if number == 0 or workload.op == "delete":
                    _load(server, workload, "--phase", "prepare")
                rounds.append(_measured(server, workload, options))
            except _LoadError as error:
                if server.name == "ingot":
                    raise SystemExit(f"{workload.title}: {error}") from error
                results[server.name] = str(error)
    return results


class _LoadError(Exception):
    """The load program failed; the text says how."""


def _measured(server: Server, workload: Workload, options: argparse.Namespace) -> Figures:
    before_s = server.cpu_s()
    figures = _load(server, workload, "--phase", "measure", "--duration", options.duration)
    # CPU of the warm-up is in it, and so are its requests in `requests_total`.
    figures["cpu_s"] = server.cpu_s() - before_s
    figures["rss_bytes"] = server.rss_bytes()
    return figures


def _load(server: Server, workload: Workload, *arguments: str) -> Figures:
    connections = workload.connections
    if "prepare" in arguments and workload.op in {"head", "get", "delete"}:
        connections = 8 if workload.size.endswith("M") else 64
    command = [
        *(sys.executable, "-m", "bench.load", "--endpoint", server.endpoint),
        *("--op", workload.op, "--size", workload.size, "--connections", str(connections)),
        *("--objects", str(workload.objects), "--warmup", "500ms", *arguments),
        *("--bucket", f"{workload.op}-{workload.size.lower()}-{workload.objects}"),
    ]
    if workload.unsigned:
        command.append("--unsigned-payload")
    variables = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    try:
        result = subprocess.run(
            command,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=LOAD_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise _LoadError(f"no end after {LOAD_TIMEOUT_S} s") from error
    if result.returncode:
        said = f"{result.stdout}\n{result.stderr}".strip()
        print(said, file=sys.stderr)
        raise _LoadError(said.splitlines()[-1])
    figures: Figures = json.loads(result.stdout)
    return figures


def _print_rows(workload: Workload, results: dict[str, list[Figures] | str]) -> None:
    ours = results["ingot"]
    assert not isinstance(ours, str)
    for name, rounds in results.items():
        if isinstance(rounds, str):
            print(f"| {workload.title} | {name} | failed: {rounds} | | | | | | |", flush=True)
            continue
        rate = _median(rounds, lambda f: f["requests_per_s"])
        ratio = _median(ours, lambda f: f["requests_per_s"]) / rate
        cells = [
            f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}",
            f"{_median(rounds, lambda f: f['mib_per_s']):,.0f}",
            f"{_median(rounds, lambda f: f['cpu_s'] / f['requests_total'] * 1e6):,.0f}",
            f"{_median(rounds, lambda f: f['latency_ms']['p50']):.2f}",
            f"{_median(rounds, lambda f: f['latency_ms']['p99']):.2f}",
            f"{_median(rounds, lambda f: f['rss_bytes']) / (1 << 20):.0f}",
            "" if name == "ingot" else f"{ratio:.1f} times",
        ]
        print(f"| {workload.title} | {name} | {' | '.join(cells)} |", flush=True)


def _median(rounds: list[Figures], value: Callable[[Figures], float]) -> float:
    return statistics.median([value(figures) for figures in rounds])
