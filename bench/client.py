"""Our client beside its peers: the same files, one server, interleaved runs of whole programs."""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.clients import CLIENTS, Client, installed
from bench.floor import MODES
from bench.peers import PEERS, Server, running
from ingot.base.units import GIB, KIB, MIB

RUN_TIMEOUT_S = 1800


class Work(NamedTuple):
    """Files to move, or to find in place."""

    name: str
    files: int
    size_bytes: int


class Figure(NamedTuple):
    """What one run took."""

    wall_s: float
    client_s: float
    server_s: float
    # What a sync took right after: the part of the work that was left to the kernel.
    sync_s: float = 0.0


WORKS = (
    Work("10,000 of 4 KiB", 10_000, 4 * KIB),
    Work("100 of 10 MiB", 100, 10 * MIB),
    Work("one of 2 GiB", 1, 2 * GIB),
)
IDLE = Work("100,000 in place", 100_000, 100)
LISTING = "list of no buckets"


class Bench:
    """One server, one folder, and the clients that take turns."""

    def __init__(self, server: Server, root: Path, clients: list[Client], rounds: int) -> None:
        self._server = server
        self._root = root
        self._clients = list(clients)
        self._rounds = rounds
        self._runs = 0
        self._spent = root / "spent"
        self._spent.mkdir()

    def warm_up(self) -> None:
        """Run every client once: what is written in Python is compiled then."""
        for client in self._clients:
            # One that cannot is left out of each work, and that is said there.
            with suppress(RuntimeError):
                self._run(client, client.list(client.path()))

    def listing(self) -> None:
        """Time the shortest command: what starting costs."""
        self._measured(LISTING, lambda client: (client.list(client.path()), lambda: None))

    def work(self, work: Work) -> None:
        """Time the way up and the way down."""
        source = self._filled(work)
        bucket = f"down-{self._next()}"
        self._make(bucket)
        self._run(CLIENTS[0], CLIENTS[0].up(sys.executable, source, bucket))

        def up(client: Client) -> tuple[list[str], Callable[[], None]]:
            fresh = f"up-{self._next()}"
            self._make(fresh)
            return client.up(client.path(), source, fresh), lambda: self._drop(fresh)

        def down(client: Client) -> tuple[list[str], Callable[[], None]]:
            target = self._root / f"target{self._next()}"
            target.mkdir()

            def check() -> None:
                found = [path for path in target.rglob("*") if path.is_file()]
                sizes = {path.stat().st_size for path in found}
                assert (len(found), sizes) == (work.files, {work.size_bytes}), client.name
                self._discard(target, work)

            return client.down(client.path(), bucket, target), check

        self._measured(f"{work.name}, up", up)
        # The server reads it from the disk once: that is not to be the first client's cost.
        command, check = down(self._clients[0])
        self._run(self._clients[0], command)
        check()
        ours = self._measured(f"{work.name}, down", down)
        self._floor(work, ours)
        self._drop(bucket)
        self._discard(source, work)

    def _discard(self, folder: Path, work: Work) -> None:
        """Be rid of `folder`: at once if it takes much room, else when all is over.

        ext4 steps over each inode freed in the last minutes when it makes a file: ten thousand
        files removed cost whoever comes next up to a millisecond for each of theirs.
        """
        if work.size_bytes >= MIB:
            shutil.rmtree(folder)
        else:
            folder.rename(self._spent / str(self._next()))

    def _floor(self, work: Work, ours: Figure) -> None:
        """Time the writing of the same files without a network."""
        for mode in MODES if work.size_bytes >= MIB else MODES[:-1]:
            runs = []
            for _ in range(self._rounds):
                target = self._root / f"target{self._next()}"
                target.mkdir()
                os.sync()
                arguments = [str(target), str(work.files), str(work.size_bytes), mode]
                runs.append(
                    self._run(CLIENTS[0], [sys.executable, "-m", "bench.floor", *arguments])
                )
                self._discard(target, work)
            _print_row(f"{work.name}, disk alone", mode, _median(runs), ours)

    def idle(self, work: Work) -> None:
        """Time a mirror that has nothing to do."""
        source = self._filled(work)
        bucket = f"idle-{self._next()}"
        self._make(bucket)
        self._run(CLIENTS[0], CLIENTS[0].up(sys.executable, source, bucket))
        self._measured(
            f"{work.name}, mirror",
            lambda client: (client.sync(client.path(), source, bucket), lambda: None),
        )
        self._drop(bucket)
        self._discard(source, work)

    def _measured(
        self, title: str, prepare: Callable[[Client], tuple[list[str], Callable[[], None]]]
    ) -> Figure:
        figures: dict[str, list[Figure]] = {client.name: [] for client in self._clients}
        for turn in range(self._rounds):
            first = turn % len(self._clients)
            for client in (*self._clients[first:], *self._clients[:first]):
                command, check = prepare(client)
                # What the one before left to be written is not the next one's cost.
                os.sync()
                try:
                    figure = self._run(client, command)
                except RuntimeError as error:
                    print(f"({client.name} is left out: {error})", file=sys.stderr)
                    continue
                began_s = time.monotonic()
                os.sync()
                synced = figure._replace(sync_s=time.monotonic() - began_s)
                figures[client.name].append(synced)
                check()
        medians = {name: _median(runs) for name, runs in figures.items() if runs}
        ours = medians[CLIENTS[0].name]
        for client in self._clients:
            if (row := medians.get(client.name)) is not None:
                _print_row(title, client.name, row, None if row is ours else ours)
        return ours

    def _run(self, client: Client, command: list[str]) -> Figure:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MC_", "RCLONE_", "INGOT_", "PYTHON"))
        }
        # Bytecode is kept, as where it was installed: compiling would be half of each start.
        environment |= {
            **client.variables(self._server.endpoint),
            "HOME": str(self._root),
            "PYTHONPYCACHEPREFIX": str(self._root / "bytecode"),
        }
        log_path = self._root / "client.log"
        server_s, began_s = self._server.cpu_s(), time.monotonic()
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.monotonic() - began_s
        if process.returncode:
            tail = log_path.read_text(errors="replace")[-300:]
            raise RuntimeError(f"exit code {process.returncode}: {tail}")
        cpu_s = usage.ru_utime + usage.ru_stime
        return Figure(wall_s, cpu_s, self._server.cpu_s() - server_s)

    def _filled(self, work: Work) -> Path:
        folder = self._root / "source"
        rng = random.Random(1)
        for index in range(work.files):
            path = folder / f"{index // 1000:03}" / f"file-{index:06}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for start in range(0, work.size_bytes, MIB):
                    file.write(rng.randbytes(min(MIB, work.size_bytes - start)))
        return folder

    def _make(self, bucket: str) -> None:
        self._run(CLIENTS[0], [sys.executable, "-m", "ingot", "mb", f"bench/{bucket}"])

    def _drop(self, bucket: str) -> None:
        self._run(CLIENTS[0], [sys.executable, "-m", "ingot", "rb", "--force", f"bench/{bucket}"])

    def _next(self) -> int:
        self._runs += 1
        return self._runs


def main(arguments: list[str]) -> None:
    """Run every client through every work and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench client", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of files")
    parser.add_argument("--only", default="", help="works whose title contains this")
    parser.add_argument("--peer", action="append", help="beside ours; all that are installed")
    options = parser.parse_args(arguments)
    clients = installed(options.peer)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {options.rounds}\n")
    print(
        "| work | client | seconds | client CPU s | server CPU s | sync after, s"
        " | ours is faster by | if synced |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with _folder() as root, running(PEERS[0]) as server:
        bench = Bench(server, root, clients, options.rounds)
        bench.warm_up()
        if options.only in LISTING:
            bench.listing()
        for work in (*WORKS, IDLE):
            if options.only in work.name:
                files = max(1, round(work.files * options.scale))
                scaled = work._replace(files=files)
                (bench.idle if work is IDLE else bench.work)(scaled)


@contextmanager
def _folder() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="bench-client-"))
    try:
        yield root
    finally:
        shutil.rmtree(root)


def _median(runs: list[Figure]) -> Figure:
    return Figure(*(statistics.median(column) for column in zip(*runs, strict=True)))


def _print_row(title: str, name: str, row: Figure, ours: Figure | None) -> None:
    ratio = synced = ""
    if ours is not None:
        ratio = f"{row.wall_s / ours.wall_s:.2f} times"
        synced = f"{(row.wall_s + row.sync_s) / (ours.wall_s + ours.sync_s):.2f} times"
    cells = f"{row.wall_s:.2f} | {row.client_s:.2f} | {row.server_s:.2f} | {row.sync_s:.2f}"
    print(f"| {title} | {name} | {cells} | {ratio} | {synced} |", flush=True)
