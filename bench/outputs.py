"""Every output format of one appliance from warm caches: seconds, size, peak memory, identity."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ingot.appliance.outputs import find_outputs

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> None:
    """Build each format alone, several times; print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench outputs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--yaml", type=Path, default=ROOT / "examples/store.yml")
    parser.add_argument(
        "--large-mib", type=int, default=1024, help="file for the second peak, or 0"
    )
    options = parser.parse_args(arguments)
    print(
        "| format | files | seconds | CPU s | MB | on disk MB | peak MB | large peak | identical |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-outputs-", dir="/tmp") as scratch:
        # Fills the caches.
        _build([options.yaml], "tar", Path(scratch) / "warm")
        large = _large_file(Path(scratch), options.large_mib)
        for name in find_outputs():
            folders = [Path(scratch) / f"{name}-{index}" for index in range(options.rounds)]
            rounds = [_build([options.yaml], name, folder) for folder in folders]
            seconds, cpu_s, peak_mb = (
                statistics.median(round_[index] for round_ in rounds) for index in range(3)
            )
            files = _outputs(folders[0])
            size = sum(path.stat().st_size for path in files) / 1e6
            used = sum(path.stat().st_blocks * 512 for path in files) / 1e6
            same = len({(folder / _manifest(folder)).read_bytes() for folder in folders}) == 1
            large_mb = "-"
            if options.large_mib:
                *_, peak = _build([options.yaml, large], name, Path(scratch) / "large")
                large_mb = f"{peak:.0f}"
                shutil.rmtree(Path(scratch) / "large")
            print(
                f"| {name} | {len(files)} | {seconds:.2f} | {cpu_s:.2f} | {size:.1f} | {used:.1f} |"
                f" {peak_mb:.0f} | {large_mb} | {'yes' if same else 'NO'} |",
                flush=True,
            )
            for folder in folders:
                shutil.rmtree(folder)


def _large_file(folder: Path, size_mib: int) -> Path:
    """Return an appliance file that adds a file which does not compress."""
    body = folder / "body"
    with body.open("wb") as file:
        for _ in range(size_mib):
            file.write(os.urandom(1 << 20))
    path = folder / "large.yml"
    path.write_text(f"files: [{{path: var/lib/large, source: {body}, mode: '0644'}}]\n")
    return path


def _build(yaml: Sequence[Path], output: str, folder: Path) -> tuple[float, float, float]:
    """Build and return seconds, CPU seconds and the largest process in MB, its tools included."""
    command = [sys.executable, "-m", "ingot", "build", *yaml, "--dir", folder, "--format", output]
    started_s = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"ingot build --format {output} failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def _manifest(folder: Path) -> str:
    return next(folder.glob("*.manifest.json")).name


def _outputs(folder: Path) -> list[Path]:
    """Return the files of the format; not the lists that every build has."""
    document = json.loads((folder / _manifest(folder)).read_text())
    lists = {"sbom", "contents"}
    return [folder / file["path"] for file in document["files"] if file["role"] not in lists]
