"""QEMU: machines as processes of this host, their start and their power button."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ingot.base.errors import ConflictError, Error, MissingToolError, UsageError
from ingot.vm.build import COMMAND_LINE_BYTES_MAX, Medium
from ingot.vm.control import qmp
from ingot.vm.disks.copies import copy_sparse
from ingot.vm.disks.shares import served
from ingot.vm.guest.ports import in_use
from ingot.vm.machine import (
    BridgeMeaning,
    ImageBoot,
    Machine,
    MetadataWay,
    RunnerName,
    addresses_of,
)
from ingot.vm.networks.forwards import opened
from ingot.vm.networks.taps import open_bridge_tap
from ingot.vm.runners.contract import Launched, Plan
from ingot.vm.runners.qemu_boards import BOARDS, PC, Board, board
from ingot.vm.runners.qemu_command import (
    UEFI_VARIABLES,
    command,
    kernel_command_line,
)
from ingot.vm.state.folders import MachineFolder
from ingot.vm.state.processes import Process, kill

_START_TIMEOUT_S = 60.0
_START_POLL_S = 0.02
_LOG_TAIL_BYTES = 4096
_FIRST_DESCRIPTOR = 3
_PROGRAM = re.compile(r"qemu-system-\w+: ")
_TIMEOUT_S = 30.0


class QemuRunner:
    """Machines as QEMU processes on this host."""

    name: RunnerName = "qemu"
    title = "QEMU"
    metadata_ways: tuple[MetadataWay, ...] = ("fw-cfg", "cd")
    uses_kvm = True
    bridge_meaning: BridgeMeaning = "bridge"
    has_channels = True
    media: tuple[Medium, ...] = ("kernel", "qcow2", "raw", "vmdk", "vhd", "vdi", "iso")

    def available(self) -> None:
        """Make sure that a QEMU is installed; which one it needs is up to the machine."""
        if not any(shutil.which(kind.program) for kind in BOARDS.values()):
            raise _missing(PC)

    def validate(self, machine: Machine) -> None:
        """Refuse other architectures, and what the machine has no way to tell its guest."""
        name = f"machine {machine.name!r}"
        kind = BOARDS.get(machine.arch)
        if kind is None:
            raise UsageError(f"{name}: QEMU runs builds for amd64 and arm64, not {machine.arch}")
        if shutil.which(kind.program) is None:
            raise _missing(kind)
        if machine.uefi and not (kind.firmware.is_file() and kind.variables.is_file()):
            raise MissingToolError(
                f"{name} needs UEFI firmware, and {kind.firmware} is not there",
                hint=f"install the Debian package {kind.firmware_package}",
            )
        if isinstance(machine.boot, ImageBoot):
            _refuse_addresses(machine, machine.boot)
        elif len(kernel_command_line(machine, machine.boot).encode()) >= COMMAND_LINE_BYTES_MAX:
            raise UsageError(f"{name}: the kernel command line is too long")

    def plan(self, machine: Machine) -> Plan:
        """Return QEMU's command line, which is all that a machine is."""
        return Plan({}, (tuple(self.command(machine)),))

    def command(self, machine: Machine) -> list[str]:
        """Return QEMU's command line; the taps of bridges, made at the start, count from 3."""
        bridges = sum(network.kind == "bridge" for network in machine.networks)
        return command(machine, range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + bridges))

    def run(self, machine: Machine) -> Launched:
        """Start QEMU in a session of its own and return once its monitor answers."""
        process = self._start(machine)
        return Launched(process.pid, process)

    def version(self) -> str:
        """Return QEMU's version, packaging included."""
        result = subprocess.run(
            [PC.program, "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
        return result.stdout.partition("\n")[0].removeprefix("QEMU emulator version ")

    def save_state(self, directory: Path, state: Path) -> None:
        """Pause the machine, bring its disks up to date, and write its state to a file."""
        if in_use(directory):
            raise ConflictError(
                f"machine {directory.name!r} cannot be saved while 'ingot exec' runs in it",
                hint="wait for the command to end, or end it",
            )
        qmp.execute(directory, "stop")
        with state.open("xb") as file:
            qmp.save_state(directory, file.fileno())
            os.fsync(file.fileno())

    def unpause(self, directory: Path) -> None:
        """Let a paused machine go on."""
        qmp.execute(directory, "cont")

    def restore(self, machine: Machine, state: Path) -> Launched:
        """Start QEMU with the state of a file in place of a boot."""
        process = self._start(machine, "-incoming", "defer")
        log = MachineFolder(machine.directory).hypervisor_log
        try:
            with state.open("rb") as file:
                qmp.load_state(machine.directory, file.fileno())
        except BaseException as error:
            process.kill()
            process.wait()
            if isinstance(error, qmp.QmpError):
                raise Error(
                    f"machine {machine.name!r} could not be restored: {_said(log)}",
                    hint=f"QEMU's words are in {log}",
                ) from error
            raise
        return Launched(process.pid, process)

    def _start(self, machine: Machine, *options: str) -> subprocess.Popen[bytes]:
        folder = MachineFolder(machine.directory)
        if machine.uefi:
            prepare_variables(machine)
        with (
            folder.hypervisor_log.open("wb") as log,
            _bridge_taps(machine) as taps,
            served(machine.shares, machine.directory, log.fileno()),
            opened(machine.ports) as doors,
        ):
            process = subprocess.Popen(
                [*command(machine, taps), *options],
                pass_fds=taps,
                cwd=machine.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C on the terminal must reach the guest or us, never QEMU.
                start_new_session=True,
            )
            try:
                _await_monitor(machine, process, folder.hypervisor_log)
                doors.pass_on(
                    lambda: usernet(machine.directory), process.pid, folder.hypervisor_log
                )
            except BaseException:
                process.kill()
                process.wait()
                raise
        return process

    def power_down(self, directory: Path) -> None:
        """Press the ACPI power button."""
        qmp.execute(directory, "system_powerdown")

    def kill(self, directory: Path, process: Process) -> None:
        """End QEMU."""
        kill(process)

    def forget(self, directory: Path) -> None:
        """Do nothing: QEMU keeps nothing of a machine."""


def _refuse_addresses(machine: Machine, boot: ImageBoot) -> None:
    """Refuse addresses that an image cannot be told."""
    for address in addresses_of(machine):
        # QEMU's user network leases it; it leases none of IPv6.
        if machine.networks[0].kind == "user" and not address.is_ipv6:
            continue
        raise UsageError(
            f"machine {machine.name!r}: --ip {address} reaches the guest on its kernel command"
            f" line, and it boots from {boot.path}, which has its own",
            hint="boot the kernel of the build (--boot kernel), or give the address by DHCP",
        )


def prepare_variables(machine: Machine) -> None:
    """Give a machine a store of UEFI variables of its own, once."""
    variables = machine.directory / UEFI_VARIABLES
    if not variables.exists():
        # What the firmware keeps, such as boot entries and keys, is the machine's own.
        unfinished = variables.with_name(f".{UEFI_VARIABLES}.new")
        unfinished.unlink(missing_ok=True)
        copy_sparse(board(machine.arch).variables, unfinished)
        os.replace(unfinished, variables)


def usernet(directory: Path) -> str:
    """Return what QEMU says of its user network."""
    arguments = {"command-line": "info usernet"}
    return str(qmp.execute(directory, "human-monitor-command", arguments))


def _missing(kind: Board) -> MissingToolError:
    return MissingToolError(
        f"{kind.program} is not installed", hint=f"install the Debian package {kind.package}"
    )


@contextlib.contextmanager
def _bridge_taps(machine: Machine) -> Iterator[list[int]]:
    """Yield the descriptors of new taps on the machine's bridges; QEMU inherits them."""
    with contextlib.ExitStack() as stack:
        taps = []
        for network in machine.networks:
            if network.kind == "bridge":
                taps.append(open_bridge_tap(network))
                stack.callback(os.close, taps[-1])
        yield taps


def _await_monitor(machine: Machine, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None:
        # A QEMU that fails closes the monitor; whether it has is for the process to say.
        with contextlib.suppress(ConflictError, qmp.QmpError):
            # Only a started monitor answers: all devices exist and all ports are bound by then.
            qmp.execute(machine.directory, "query-status")
            return
        if time.monotonic() >= deadline_s:
            raise Error(f"QEMU does not answer after {_START_TIMEOUT_S:g} s", hint=_said(log))
        time.sleep(_START_POLL_S)
    raise Error(
        f"machine {machine.name!r} could not be started: {_said(log)}",
        hint=f"QEMU's words are in {log}",
    )


def _said(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_TAIL_BYTES))
        text = file.read().decode("utf-8", "replace").strip()
    return _PROGRAM.sub("", text) or "QEMU said nothing"
