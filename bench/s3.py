"""Requests per second of our server and its peers: same load program, same run, interleaved."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

from bench.peers import ACCESS_KEY, SECRET_KEY, Server, installed, running

WORKLOADS = (("get", "4K"), ("put", "4K"), ("head", "4K"), ("get", "64K"), ("put", "64K"))


def main(arguments: list[str]) -> None:
    """Run the workloads against every installed server and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench s3", description=__doc__)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", default="4s")
    options = parser.parse_args(arguments)
    peers = installed()
    print(f"servers: {', '.join(peer.name for peer in peers)}; {os.cpu_count()} cores;")
    print(f"{options.connections} connections, median of {options.rounds} interleaved rounds\n")
    print("| workload | server | requests/s | CPU µs/request | p50 ms | p99 ms | RSS MiB | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    with ExitStack() as stack:
        servers = [stack.enter_context(running(peer)) for peer in peers]
        for operation, size in WORKLOADS:
            samples: dict[str, list[dict[str, Any]]] = {server.name: [] for server in servers}
            for _ in range(options.rounds):
                for server in servers:
                    samples[server.name].append(_measure(server, operation, size, options))
            _print_rows(f"{operation.upper()} {size}", samples)


def _measure(server: Server, operation: str, size: str, options: Any) -> dict[str, Any]:
    command = [
        *(sys.executable, "-m", "bench.load", "--endpoint", server.endpoint, "--op", operation),
        *("--size", size, "--connections", str(options.connections)),
        *("--duration", options.duration, "--bucket", f"bench-{size.lower()}"),
    ]
    variables = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    before_s = server.cpu_s()
    result = subprocess.run(
        command,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if result.returncode:
        raise SystemExit(f"{server.name}: {operation} {size}\n{result.stdout}{result.stderr}")
    figures: dict[str, Any] = json.loads(result.stdout)
    # CPU of preparation and warm-up is in it, and so are their requests in `requests_total`.
    figures["cpu_s"] = server.cpu_s() - before_s
    figures["rss_bytes"] = server.rss_bytes()
    return figures


def _print_rows(workload: str, samples: dict[str, list[dict[str, Any]]]) -> None:
    def median(name: str, value: Any) -> float:
        return statistics.median(value(figures) for figures in samples[name])

    ours = median("ingot", lambda f: f["requests_per_s"])
    for name in samples:
        rate = median(name, lambda f: f["requests_per_s"])
        cpu_us = median(name, lambda f: f["cpu_s"] / f["requests_total"] * 1e6)
        p50 = median(name, lambda f: f["latency_ms"]["p50"])
        p99 = median(name, lambda f: f["latency_ms"]["p99"])
        rss = median(name, lambda f: f["rss_bytes"]) / (1 << 20)
        ratio = "" if name == "ingot" else f"{ours / rate:.1f} times"
        print(
            f"| {workload} | {name} | {rate:,.0f} | {cpu_us:.0f} | {p50:.2f} | {p99:.2f} "
            f"| {rss:.0f} | {ratio} |",
            flush=True,
        )
