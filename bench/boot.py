"""From warm caches to the first S3 answer: build, boot, size and memory of the store appliance."""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BOOT_TIMEOUT_S = 300
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main(arguments: list[str]) -> None:
    """Build and boot several times; print medians, one boot per memory size asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench boot", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mem", action="append", help="memory of the machine; several for a table")
    parser.add_argument("--yaml", type=Path, default=ROOT / "examples/store.yml")
    parser.add_argument(
        "--phases", action="store_true", help="print what each phase of a boot takes"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-boot-", dir="/tmp") as folder:
        environment = os.environ | {"INGOT_STATE_DIR": f"{folder}/state"}
        builds = [
            _build(options.yaml, Path(folder), environment) for _ in range(options.rounds + 1)
        ]
        print(
            f"build, warm caches: {statistics.median(builds[1:]):.1f} s (first {builds[0]:.1f} s)"
        )
        for path in sorted(Path(folder).glob("store-*")):
            print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
        if options.phases:
            _print_phases(Path(folder) / "store", options.rounds, environment)
            return
        print("\n| memory | first S3 200, wall s | QEMU CPU s then | guest memory in use MiB |")
        print("|---|---|---|---|")
        for memory in options.mem or ["256M"]:
            boots = [
                _boot(Path(folder) / "store", memory, environment) for _ in range(options.rounds)
            ]
            wall_s, cpu_s, used_mib = (
                statistics.median(boot[index] for boot in boots) for index in range(3)
            )
            print(f"| {memory} | {wall_s:.1f} | {cpu_s:.1f} | {used_mib:.0f} |", flush=True)


def _ingot(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "ingot", *arguments]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    if result.returncode:
        raise SystemExit(f"ingot {' '.join(arguments)}: {result.stderr}")
    return result.stdout


def _build(yaml: Path, folder: Path, environment: dict[str, str]) -> float:
    began_s = time.monotonic()
    _ingot(environment, "build", str(yaml), "--dir", str(folder), "--name", "store")
    return time.monotonic() - began_s


def _boot(prefix: Path, memory: str, environment: dict[str, str]) -> tuple[float, float, float]:
    """Boot with a new disk; return wall seconds, QEMU's CPU seconds and guest MiB in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began_s = time.monotonic()
    _ingot(
        environment,
        *("run", str(prefix), "--name", "bench", "--mem", memory, "--disk", "size=1G"),
        *("--publish", f"{port}:9000", "--detach"),
    )
    try:
        machine: dict[str, Any] = json.loads(_ingot(environment, "ps", "--json").splitlines()[0])
        while not _answers(port):
            if time.monotonic() - began_s > BOOT_TIMEOUT_S:
                raise SystemExit(_ingot(environment, "logs", "bench")[-4000:])
        wall_s = time.monotonic() - began_s
        fields = Path(f"/proc/{machine['pid']}/stat").read_text().rpartition(")")[2].split()
        cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        info = _ingot(
            environment, "exec", "--host", "bench", "/bin/busybox", "cat", "/proc/meminfo"
        )
        values = {line.split(":")[0]: int(line.split()[1]) for line in info.splitlines()}
        used_mib = (values["MemTotal"] - values["MemAvailable"]) / 1024
    finally:
        _ingot(environment, "stop", "bench")
        _ingot(environment, "rm-machine", "--yes", "bench")
    return wall_s, cpu_s, used_mib


def _print_phases(prefix: Path, rounds: int, environment: dict[str, str]) -> None:
    """Print medians of CPU seconds by phase: the guest's clock, scaled to QEMU's processor time.

    Firmware is what QEMU took before the kernel's clock began; unpacking is the kernel's, and so
    not added again.
    """
    boots = [_phases(prefix, environment) for _ in range(rounds)]
    print("\n| phase | CPU s |\n|---|---|")
    for phase in boots[0]:
        print(f"| {phase} | {statistics.median(boot[phase] for boot in boots):.2f} |")


def _phases(prefix: Path, environment: dict[str, str]) -> dict[str, float]:
    run = ("run", str(prefix), "--name", "bench", "--disk", "size=1G", "--detach")
    _ingot(environment, *run)
    try:
        machine: dict[str, Any] = json.loads(_ingot(environment, "ps", "--json").splitlines()[0])
        process = Path(f"/proc/{machine['pid']}")
        # When QEMU began, by the clock of its statistics: not when the command that starts it did.
        started_ticks = int((process / "stat").read_text().rpartition(")")[2].split()[19])
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
        began_s = time.monotonic() - (uptime_s - started_ticks / _TICKS_PER_S)
        status = Path(environment["INGOT_STATE_DIR"], "machines/bench/status.jsonl")
        while not status.exists() or '"event":"ready"' not in status.read_text():
            if time.monotonic() - began_s > BOOT_TIMEOUT_S:
                raise SystemExit(_ingot(environment, "logs", "bench")[-4000:])
            time.sleep(0.01)
        wall_s = time.monotonic() - began_s
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        log = _ingot(environment, "exec", "--host", "bench", "/bin/busybox", "dmesg")
        events = [json.loads(line) for line in status.read_text().splitlines()]
    finally:
        _ingot(environment, "kill", "bench")
        _ingot(environment, "rm-machine", "--yes", "bench")
    return _split(log, events, scale=cpu_s / wall_s, wall_s=wall_s)


def _split(
    log: str, events: list[dict[str, Any]], *, scale: float, wall_s: float
) -> dict[str, float]:
    """Return the CPU seconds of each phase, from the kernel's log and the guest's events."""

    def logged(words: str) -> float:
        match = re.search(rf"^\[ *([0-9.]+)\] .*{re.escape(words)}", log, re.MULTILINE)
        return float(match[1]) if match else 0.0

    ready = next(event["at"] for event in events if event["event"] == "ready")
    boot = next(event["at"] for event in events if event["event"] == "boot")
    init = logged("Run /init as init process")
    phases = {
        "firmware, to the kernel's start": wall_s - ready,
        "kernel, to /init": init,
        "of it, unpacking the RAM disk": logged("Freeing initrd memory")
        - logged("Trying to unpack rootfs image"),
        "RAM disk's /init, boot script, modules": boot - init,
    }
    before, running = boot, "network"
    for event in events:
        name, at = event.get("name"), event["at"]
        if running and (event["event"] == "step" or event.get("state") == "started"):
            phases[running] = at - before
            before, running = at, f"step {name}" if event["event"] == "step" else ""
        elif event.get("state") == "ready":
            phases[f"until {name} is ready"] = at - before
            before = at
    phases["all"] = wall_s
    return {name: value * scale for name, value in phases.items()}


def _answers(port: int) -> bool:
    # QEMU accepts the connection before the guest listens: short time-outs find the moment.
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/minio/health/ready", timeout=0.3
        ) as answer:
            return bool(answer.status == 200)
    except OSError:
        time.sleep(0.05)
        return False
