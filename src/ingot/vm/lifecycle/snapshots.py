"""Snapshots of running machines: memory, devices and disks at one moment, and the way back to it.

The machine is paused while its memory is written and its disks are copied, so that all of it is of
one moment. What cannot be of that moment, or cannot be brought back, is refused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingot.base.atomic import fsync_directory, write_atomically
from ingot.base.clock import Clock
from ingot.base.errors import ConflictError, Error, NotFoundError, UsageError
from ingot.vm.disks.config_drive import CONFIG_DRIVE
from ingot.vm.disks.copies import copy_sparse
from ingot.vm.lifecycle.starting import Started, Starter, clear_last_run, refuse_running
from ingot.vm.machine import (
    Accelerator,
    ImageBoot,
    Machine,
    MachineSpec,
    check_name,
    on_config_drive,
)
from ingot.vm.runners.contract import Runner, StateRunner
from ingot.vm.state.folders import MachineFolder
from ingot.vm.state.processes import Process

SCHEMA = 1
_RECORD = "snapshot.json"
_STATE = "memory"
_STATUS = "status.jsonl"
_FIRMWARE = "uefi-vars.fd"


class SavedFile(msgspec.Struct, frozen=True):
    """A file that was copied: its place on the host, and the copy's name in the snapshot."""

    path: str
    name: str


class BuildFile(msgspec.Struct, frozen=True):
    """A file of the build as it was: a machine goes on only with the very same."""

    path: str
    size_bytes: int
    changed_ns: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot is of; kept as `snapshot.json` beside its files.

    Attributes:
        created_ns: Unix time.
        size_bytes: what it takes of the host's disk.
        hypervisor: the version that wrote the memory.
        command: the hypervisor's command line.
    """

    schema: int = SCHEMA
    name: str
    created_ns: int
    size_bytes: int
    spec: MachineSpec
    accelerator: Accelerator
    hypervisor: str
    command: list[str]
    build: tuple[BuildFile, ...]
    files: tuple[SavedFile, ...]


class Snapshots:
    """The snapshots of machines.

    Args:
        starter: what starts machines on this host.
        clock: for the time of a snapshot.
    """

    def __init__(self, starter: Starter, clock: Clock) -> None:
        self._starter = starter
        self._clock = clock

    def save(self, folder: MachineFolder, name: str) -> Snapshot:
        """Keep the moment of a running machine, which goes on afterwards.

        Raises:
            ConflictError: it does not run, there is such a snapshot, or its build was changed.
            UsageError: the name cannot name a snapshot, or a disk cannot be copied.
            Error: memory or disks cannot be written, as when the host's disk is full.
        """
        target = _place(folder, name)
        with folder.locked():
            process = folder.running()
            if target.exists():
                raise ConflictError(
                    f"machine {folder.name!r} has a snapshot {name!r}",
                    hint=f"remove it first: ingot snapshot rm {folder.name} {name}",
                )
            spec = folder.read_spec()
            runner = self._runner(spec)
            machine, _ = self._starter.resolve(spec, folder)
            files = _files(machine, folder)
            build = _build_files(machine)
            _refuse_changed(folder, process, build)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            with _appearing(target) as work:
                _copy(folder, work, files, runner)
                snapshot = Snapshot(
                    name=name,
                    created_ns=self._clock.now_ns(),
                    size_bytes=sum(512 * path.stat().st_blocks for path in work.iterdir()),
                    spec=spec,
                    accelerator=process.accelerator,
                    hypervisor=runner.version(),
                    command=runner.command(machine),
                    build=build,
                    files=files,
                )
                write_atomically(work / _RECORD, msgspec.json.encode(snapshot), mode=0o600)
        return snapshot

    def restore(self, folder: MachineFolder, name: str) -> Started:
        """Start a stopped machine at the moment of a snapshot; its disks become what they were.

        Raises:
            NotFoundError: there is no such machine or snapshot.
            ConflictError: the machine runs, or is not what it was: its build, the hypervisor or
                the accelerator is another.
            Error: see `Starter.start`.
        """
        place = _place(folder, name)
        with folder.locked():
            refuse_running(folder)
            snapshot = read(folder, name)
            spec = snapshot.spec
            runner = self._runner(spec)
            machine, choice = self._starter.resolve(spec, folder)
            self._starter.admit(spec, machine, folder)
            _refuse_other(snapshot, machine, runner)
            _put_back(snapshot, folder)
            folder.write_spec(spec)
            clear_last_run(folder)
            # The guest will not say again what it said before.
            write_atomically(folder.status_path, (place / _STATUS).read_bytes())
            launched = runner.restore(machine, place / _STATE)
            process = self._starter.record(launched.pid, choice, folder)
        return Started(folder, spec, machine, process, launched, None)

    def _runner(self, spec: MachineSpec) -> StateRunner:
        return _stateful(self._starter.runners(spec.runner))


def read(folder: MachineFolder, name: str) -> Snapshot:
    """Return what a snapshot is of.

    Raises:
        NotFoundError: there is no such machine or snapshot.
        Error: it cannot be read by this release.
    """
    folder.read_spec()
    path = _place(folder, name) / _RECORD
    try:
        snapshot = msgspec.json.decode(path.read_bytes(), type=Snapshot)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"machine {folder.name!r} has no snapshot {name!r}",
            hint=f"'ingot snapshot ls {folder.name}' lists them",
        ) from error
    except msgspec.DecodeError as error:
        raise Error(f"{path} cannot be read: {error}") from error
    if snapshot.schema != SCHEMA:
        raise Error(f"{path} is of another release (schema {snapshot.schema})")
    return snapshot


def names(folder: MachineFolder) -> list[str]:
    """Return the names of a machine's snapshots, sorted.

    Raises:
        NotFoundError: there is no such machine.
    """
    folder.read_spec()
    try:
        found = os.listdir(folder.snapshots)
    except FileNotFoundError:
        return []
    return sorted(name for name in found if not name.startswith("."))


def remove(folder: MachineFolder, name: str) -> None:
    """Delete a snapshot.

    Raises:
        NotFoundError: there is no such machine or snapshot.
    """
    place = _place(folder, name)
    with folder.locked():
        if name not in names(folder):
            read(folder, name)
        # Renamed first, so that a removal that is cut short leaves no half snapshot behind.
        grave = Path(tempfile.mkdtemp(prefix=".removed-", dir=folder.snapshots))
        os.rename(place, grave)
        shutil.rmtree(grave)


def _copy(
    folder: MachineFolder, work: Path, files: tuple[SavedFile, ...], runner: StateRunner
) -> None:
    try:
        runner.save_state(folder.path, work / _STATE)
        for file in files:
            copy_sparse(Path(file.path), work / file.name)
        copy_sparse(folder.status_path, work / _STATUS)
    except OSError as error:
        raise Error(f"machine {folder.name!r} cannot be saved: {error.strerror}") from error
    finally:
        runner.unpause(folder.path)


def _refuse_other(snapshot: Snapshot, machine: Machine, runner: StateRunner) -> None:
    of = f"snapshot {snapshot.name!r} of machine {machine.name!r}"
    hint = "it can be restored only on what it was taken on; remove it and save another"
    version = runner.version()
    if version != snapshot.hypervisor:
        raise ConflictError(
            f"{of} was written by version {snapshot.hypervisor}, and {version} is installed",
            hint=hint,
        )
    if machine.accelerator != snapshot.accelerator:
        raise ConflictError(
            f"{of} is of {snapshot.accelerator.upper()}, and the machine would run under"
            f" {machine.accelerator.upper()}",
            hint=hint,
        )
    if runner.command(machine) != snapshot.command or _build_files(machine) != snapshot.build:
        raise ConflictError(f"{of} is of another build than {snapshot.spec.prefix}", hint=hint)


def _stateful(runner: Runner) -> StateRunner:
    if not isinstance(runner, StateRunner):
        raise UsageError(f"machines of {runner.title} have no snapshots here")
    return runner


def _place(folder: MachineFolder, name: str) -> Path:
    try:
        return folder.snapshots / check_name(name)
    except UsageError as error:
        raise UsageError(f"{name!r} cannot name a snapshot", hint=error.hint) from error


@contextlib.contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Yield a folder that becomes `target` if all goes well, and vanishes if not."""
    work = Path(tempfile.mkdtemp(prefix=".saving-", dir=target.parent))
    try:
        yield work
        fsync_directory(work)
        os.rename(work, target)
        fsync_directory(target.parent)
    except BaseException:
        shutil.rmtree(work)
        raise


def _files(machine: Machine, folder: MachineFolder) -> tuple[SavedFile, ...]:
    """Return what must be copied besides memory and devices."""
    if machine.shares:
        raise UsageError(
            f"machine {machine.name!r} cannot be saved: it has shares",
            hint="a folder of the host cannot be brought back to an earlier moment",
        )
    files = []
    for index, disk in enumerate(machine.disks):
        if not stat.S_ISREG(os.stat(disk.path).st_mode):
            raise UsageError(
                f"machine {machine.name!r} cannot be saved: its disk {disk.path} is no file",
                hint="a block device cannot be brought back to an earlier moment",
            )
        files.append(SavedFile(disk.path, f"disk-{index}"))
    for has, path in (
        (machine.uefi, folder.path / _FIRMWARE),
        (machine.has_metadata, folder.metadata_path),
        (on_config_drive(machine), folder.path / CONFIG_DRIVE),
    ):
        if has:
            files.append(SavedFile(str(path), path.name))
    return tuple(files)


def _build_files(machine: Machine) -> tuple[BuildFile, ...]:
    boot = machine.boot
    paths = [boot.path] if isinstance(boot, ImageBoot) else [boot.kernel, boot.initrd]
    found = [(path, path.stat()) for path in paths]
    return tuple(BuildFile(str(path), s.st_size, s.st_ctime_ns) for path, s in found)


def _refuse_changed(folder: MachineFolder, process: Process, build: tuple[BuildFile, ...]) -> None:
    for file in build:
        if file.changed_ns > process.started_ns:
            raise ConflictError(
                f"machine {folder.name!r} cannot be saved: {file.path} was changed after its start",
                hint="start it anew, and save it then",
            )


def _put_back(snapshot: Snapshot, folder: MachineFolder) -> None:
    """Give every file its saved content; all copies are made before the first is put in place.

    Between the first and the last the machine is marked, so that it cannot be started with disks
    of different moments.
    """
    ready: list[tuple[Path, Path]] = []
    try:
        for file in snapshot.files:
            path = Path(file.path)
            copy = path.with_name(f".{path.name}.restoring")
            copy.unlink(missing_ok=True)
            ready.append((copy, path))
            copy_sparse(folder.snapshots / snapshot.name / file.name, copy)
        write_atomically(folder.restoring_path, snapshot.name.encode())
        for copy, path in ready:
            os.replace(copy, path)
            fsync_directory(path.parent)
        folder.restoring_path.unlink()
    except OSError as error:
        for copy, _ in ready:
            copy.unlink(missing_ok=True)
        raise Error(
            f"snapshot {snapshot.name!r} cannot be put back: {error.strerror}: {error.filename}"
        ) from error
