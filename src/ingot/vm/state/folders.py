"""Machines on disk: one folder a name, its lock, its spec, and the process that runs it, if any."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingot.base.atomic import write_atomically
from ingot.base.errors import ConflictError, Error, NotFoundError
from ingot.vm.machine import SPEC_SCHEMA, MachineSpec, check_name
from ingot.vm.state.processes import Process, boot_id, is_alive, start_ticks

MACHINES_MAX = 4096
METADATA_NAME = "metadata"
"""The file in a machine's folder with what its user tells its guest."""
_LOCK_ATTEMPTS = 5


class MachineFolder:
    """One machine's folder; every file of it has its path here.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.spec_path = path / "machine.json"
        self.process_path = path / "process.json"
        self.pid_path = path / "qemu.pid"
        self.console_log = path / "console.log"
        self.previous_console_log = path / "console.log.1"
        self.status_path = path / "status.jsonl"
        self.hypervisor_log = path / "qemu.log"
        self.metadata_path = path / METADATA_NAME
        self.snapshots = path / "snapshots"
        self.restoring_path = path / "restoring"

    def exists(self) -> bool:
        """Tell whether a machine of this name was ever started."""
        return self.spec_path.is_file()

    def read_spec(self) -> MachineSpec:
        """Return the kept spec.

        Raises:
            NotFoundError: there is no such machine.
            Error: its file cannot be read by this release.
        """
        try:
            spec = msgspec.json.decode(self.spec_path.read_bytes(), type=MachineSpec)
        except FileNotFoundError as error:
            raise NotFoundError(
                f"there is no machine {self.name!r}", hint="'ingot ps --all' lists the machines"
            ) from error
        except msgspec.DecodeError as error:
            raise Error(f"{self.spec_path} cannot be read: {error}") from error
        if spec.schema != SPEC_SCHEMA:
            raise Error(f"{self.spec_path} is of another release (schema {spec.schema})")
        return spec

    def write_spec(self, spec: MachineSpec) -> None:
        """Keep the spec, durably."""
        write_atomically(self.spec_path, msgspec.json.format(msgspec.json.encode(spec)), mode=0o600)

    def write_process(self, process: Process) -> None:
        """Record the process that was just started for this machine."""
        write_atomically(self.process_path, msgspec.json.encode(process), mode=0o600)

    def process(self) -> Process | None:
        """Return the machine's process if it runs now; None if it ended or its record is stale."""
        try:
            process = msgspec.json.decode(self.process_path.read_bytes(), type=Process)
        except (FileNotFoundError, msgspec.DecodeError):
            return self._unrecorded()
        return process if is_alive(process) else None

    def _unrecorded(self) -> Process | None:
        """Return the QEMU of a start that was cut short before its process was recorded."""
        try:
            pid = int(self.pid_path.read_text())
            started_ns = self.pid_path.stat().st_mtime_ns
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            uuid = self.read_spec().uuid
        except (OSError, ValueError, NotFoundError):
            return None
        ticks = start_ticks(pid)
        if ticks is None or uuid.encode() not in words:
            return None
        return Process(
            pid=pid,
            start_ticks=ticks,
            boot_id=boot_id(),
            started_ns=started_ns,
            accelerator="kvm" if b"kvm" in words else "tcg",
            accelerator_reason="its start was cut short before this was kept",
        )

    def running(self) -> Process:
        """Return the machine's process.

        Raises:
            NotFoundError: there is no such machine.
            ConflictError: it is not running.
        """
        self.read_spec()
        process = self.process()
        if process is None:
            raise ConflictError(
                f"machine {self.name!r} is not running", hint=f"start it: ingot start {self.name}"
            )
        return process

    @contextlib.contextmanager
    def locked(self, *, create: bool = False) -> Iterator[None]:
        """Hold the machine for a change (start, removal); nobody else changes it meanwhile.

        Raises:
            ConflictError: another command holds it.
            NotFoundError: it does not exist and `create` was not asked for.
        """
        descriptor = self._open_lock(create=create)
        try:
            yield
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the folder with all that is in it; call it with the lock held."""
        # Renamed first, so that a removal that is cut short leaves no half machine behind.
        grave = Path(tempfile.mkdtemp(prefix=f".removed-{self.name}-", dir=self.path.parent))
        os.rename(self.path, grave)
        shutil.rmtree(grave)

    def _open_lock(self, *, create: bool) -> int:
        path = self.path / "lock"
        for _ in range(_LOCK_ATTEMPTS):
            if create:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    self.path.mkdir(mode=0o700)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                if create:
                    continue
                raise NotFoundError(
                    f"there is no machine {self.name!r}", hint="'ingot ps --all' lists the machines"
                ) from None
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The machine may have been removed, and made anew, before the lock was ours.
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return descriptor
            except FileNotFoundError:
                pass
            except BlockingIOError as error:
                os.close(descriptor)
                raise ConflictError(
                    f"another command is working on machine {self.name!r}",
                    hint="wait for it to finish and try again",
                ) from error
            os.close(descriptor)
        raise ConflictError(f"machine {self.name!r} is being removed and made again and again")


class Machines:
    """All machines of a user.

    Args:
        root: the folder that holds a folder a machine.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> MachineFolder:
        """Return the folder of a machine, which need not exist.

        Raises:
            UsageError: the name cannot name a machine.
        """
        return MachineFolder(self.root / check_name(name))

    def folders(self) -> list[MachineFolder]:
        """Return every machine there is, by name."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir())
        except FileNotFoundError:
            return []
        folders = [MachineFolder(self.root / name) for name in names if not name.startswith(".")]
        return [folder for folder in folders if folder.exists()][:MACHINES_MAX]
