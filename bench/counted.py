"""Boots told by instructions: a busy machine shows the figures that a quiet one shows."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BOOT_TIMEOUT_S = 600
# One instruction is 2 ns of the guest's clock, about what emulation takes on a quiet core.
_SHIFT = 1


def main(arguments: list[str]) -> None:
    """Boot appliances once each with a new disk; print the guest's seconds of each phase."""
    parser = argparse.ArgumentParser(prog="python -m bench counted", description=__doc__)
    parser.add_argument("--mem", default="256", help="memory of the machines, in MiB")
    parser.add_argument("yaml", type=Path, nargs="*")
    options = parser.parse_args(arguments)
    files = options.yaml or [ROOT / "examples/hello.yml", ROOT / "examples/store.yml"]
    boots = {file.stem: _boot(file, options.mem) for file in files}
    phases = list(dict.fromkeys(phase for boot in boots.values() for phase in boot))
    print(f"\n| phase | {' | '.join(boots)} |\n|---|{'---|' * len(boots)}")
    for phase in sorted(phases, key="all".__eq__):
        shown = " | ".join(
            f"{boot[phase]:.2f}" if phase in boot else "-" for boot in boots.values()
        )
        print(f"| {phase} | {shown} |")


def _boot(yaml: Path, memory_mib: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-counted-", dir="/tmp") as name:
        folder = Path(name)
        build = [sys.executable, "-m", "ingot", "build", str(yaml), "--dir", name, "--name", "a"]
        subprocess.run(build, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with (folder / "disk").open("wb") as disk:
            disk.truncate(1 << 30)
        status, console = folder / "status", folder / "console"
        with subprocess.Popen(_command(folder, memory_mib)) as machine:
            try:
                deadline_s = time.monotonic() + BOOT_TIMEOUT_S
                while not status.exists() or '"event":"ready"' not in status.read_text():
                    if machine.poll() is not None or time.monotonic() > deadline_s:
                        raise SystemExit(console.read_text(errors="replace")[-4000:])
                    time.sleep(0.1)
            finally:
                machine.kill()
        events = [json.loads(line) for line in status.read_text().splitlines()]
        return split(events)


def _command(folder: Path, memory_mib: str) -> list[str]:
    cmdline = (folder / "a-cmdline").read_text().strip()
    return [
        *("qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-m", memory_mib),
        *("-accel", "tcg,thread=single", "-icount", f"shift={_SHIFT},sleep=on"),
        *("-nodefaults", "-display", "none", "-no-reboot"),
        *("-kernel", str(folder / "a-kernel"), "-initrd", str(folder / "a-initrd.img")),
        *("-append", f"{cmdline} no_timer_check", "-serial", f"file:{folder / 'console'}"),
        *("-device", "virtio-serial-pci", "-chardev", f"file,id=s,path={folder / 'status'}"),
        *("-device", "virtserialport,chardev=s,name=ingot.status", "-device", "virtio-rng-pci"),
        *("-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile="),
        *("-drive", f"if=none,id=d,format=raw,file={folder / 'disk'}"),
        *("-device", "virtio-blk-pci,drive=d"),
    ]


def split(events: list[dict[str, Any]]) -> dict[str, float]:
    """Return the seconds of each phase, from the guest's events."""
    phases: dict[str, float] = {}
    before = 0.0
    for phase, at in _ends(events):
        phases[phase] = at - before
        before = at
    return {**phases, "all": before}


def _ends(events: list[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """Yield each phase and when it ended."""
    running = "kernel, RAM disk's /init, boot script, modules"
    for event in events:
        kind = event.get("state") or event["event"]
        if running and kind in {"boot", "step", "started"}:
            yield running, event["at"]
            following = {"boot": "network", "step": f"step {event.get('name')}", "started": ""}
            running = following[kind]
        elif kind == "ready" and "name" in event:
            yield f"until {event['name']} is ready", event["at"]
