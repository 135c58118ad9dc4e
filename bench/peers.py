"""Start S3 servers for a benchmark: ours, and whichever peers are installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY = "benchbench"
SECRET_KEY = "benchbenchbench"  # one for all servers of a run, on loopback only
START_TIMEOUT_S = 60
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Peer:
    """How one kind of server is started.

    Attributes:
        command: from (data folder, port) to argv.
        program: what must be on PATH (or in INGOT_BENCH_PEERS), None for ours.
    """

    name: str
    program: str | None
    command: Callable[[str, Path, int], list[str]]
    variables: dict[str, str]


PEERS = (
    Peer(
        "ingot",
        None,
        lambda _, data, port: [
            *(sys.executable, "-m", "ingot", "server", str(data)),
            *("--address", f"127.0.0.1:{port}", "--console-address", "127.0.0.1:0"),
        ],
        {"INGOT_ROOT_USER": ACCESS_KEY, "INGOT_ROOT_PASSWORD": SECRET_KEY},
    ),
    Peer(
        "minio",
        "minio",
        lambda program, data, port: [
            *(program, "server", str(data), "--quiet", "--address", f"127.0.0.1:{port}"),
            *("--console-address", "127.0.0.1:0"),
        ],
        {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"},
    ),
    # Its writes are not synced to the device: what it says of PUT is no like-for-like.
    Peer(
        "rclone",
        "rclone",
        lambda program, data, port: [
            *(program, "serve", "s3", str(data), "--addr", f"127.0.0.1:{port}"),
            *("--vfs-cache-mode", "writes", "--cache-dir", f"{data}.cache"),
        ],
        {"RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{SECRET_KEY}"'},  # a list in CSV
    ),
)


@dataclass
class Server:
    """A running server and what it costs."""

    name: str
    endpoint: str
    process: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Return CPU seconds of the process and all its descendants so far."""
        return sum(_cpu_s(pid) for pid in _family(self.process.pid))

    def rss_bytes(self) -> int:
        """Return the resident set of the whole family (shared pages counted in each)."""
        total = 0
        for pid in _family(self.process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                total += pages * os.sysconf("SC_PAGE_SIZE")
        return total

    def pss_bytes(self) -> int:
        """Return what the family takes of the machine (shared pages counted once)."""
        total = 0
        for pid in _family(self.process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0]) * 1024
        return total


def installed() -> list[Peer]:
    """Return the peers that can be started here, ours first."""
    return [peer for peer in PEERS if peer.program is None or find(peer.program)]


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[Server]:
    """Start a server on an empty folder and stop it at the end."""
    data = Path(tempfile.mkdtemp(prefix=f"bench-{peer.name}-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = find(peer.program) if peer.program else ""
    assert program is not None
    with (data.parent / f"{data.name}.log").open("wb") as log:
        process = subprocess.Popen(
            peer.command(program, data, port),
            env=os.environ | peer.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_answers(process, port)
        yield Server(peer.name, f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(data)
        shutil.rmtree(f"{data}.cache", ignore_errors=True)
        Path(f"{data}.log").unlink()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server left with code {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
        except urllib.error.HTTPError:
            return  # any HTTP answer, such as 403 to the anonymous
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not answer in time")


def find(program: str) -> str | None:
    """Return the path of a peer's program, or None."""
    extra = os.environ.get("INGOT_BENCH_PEERS", "")
    return shutil.which(program, path=os.pathsep.join([extra, os.environ.get("PATH", "")]))


def _family(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = path.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += parents.get(pid, [])
    return found


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return 0.0
