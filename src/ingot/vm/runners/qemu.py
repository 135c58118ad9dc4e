"""QEMU: the command line that boots a machine, and its start and power button."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingot.base.errors import ConflictError, Error, MissingToolError, UsageError
from ingot.vm import qmp
from ingot.vm.agent import SOCKET_NAME as AGENT_SOCKET
from ingot.vm.build import COMMAND_LINE_BYTES_MAX
from ingot.vm.console import SOCKET_NAME as CONSOLE_SOCKET
from ingot.vm.machine import Disk, Machine
from ingot.vm.state import MachineFolder
from ingot.vm.taps import open_bridge_tap

PROGRAM = "qemu-system-x86_64"
PACKAGE = "qemu-system-x86"

_ARCHES = ("amd64", "x86_64")
_START_TIMEOUT_S = 60.0
_START_POLL_S = 0.02
_LOG_TAIL_BYTES = 4096


class QemuRunner:
    """Machines as QEMU processes on this host."""

    name = "qemu"

    def available(self) -> None:
        """Make sure that QEMU is installed."""
        if shutil.which(PROGRAM) is None:
            raise MissingToolError(
                f"{PROGRAM} is not installed", hint=f"install the Debian package {PACKAGE}"
            )

    def validate(self, machine: Machine) -> None:
        """Refuse other architectures, and command lines the kernel would cut off."""
        if machine.arch not in _ARCHES:
            raise UsageError(
                f"machine {machine.name!r}: QEMU runs builds for amd64 here, not {machine.arch}"
            )
        if len(kernel_command_line(machine).encode()) >= COMMAND_LINE_BYTES_MAX:
            raise UsageError(f"machine {machine.name!r}: the kernel command line is too long")

    def command(self, machine: Machine, taps: Sequence[int] = ()) -> list[str]:
        """Return QEMU's command line; sockets and logs are relative to the machine's folder.

        Args:
            machine: the machine.
            taps: the descriptors of the taps of its bridge networks, in their order.
        """
        return [
            PROGRAM,
            *("-name", machine.name, "-uuid", machine.uuid),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-machine", "q35", *_processor(machine), "-m", str(machine.memory_mib)),
            *_SANDBOX,
            *("-pidfile", "qemu.pid"),
            *("-kernel", str(machine.kernel), "-initrd", str(machine.initrd)),
            *("-append", kernel_command_line(machine)),
            *("-object", "rng-random,id=rng,filename=/dev/urandom"),
            *("-device", "virtio-rng-pci,rng=rng"),
            *_control(),
            *_networks(machine, taps),
            *(word for index, disk in enumerate(machine.disks) for word in _disk(index, disk)),
        ]

    def run(self, machine: Machine) -> subprocess.Popen[bytes]:
        """Start QEMU in a session of its own and return once its monitor answers."""
        folder = MachineFolder(machine.directory)
        with folder.hypervisor_log.open("wb") as log, _bridge_taps(machine) as taps:
            process = subprocess.Popen(
                self.command(machine, taps),
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
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process

    def power_down(self, directory: Path) -> None:
        """Press the ACPI power button."""
        qmp.execute(directory, "system_powerdown")


_LOGFILE = "logfile=console.log,logappend=on"

# The process may not gain privileges, start programs, or use system calls that are long obsolete.
_SANDBOX = (
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
)


def kernel_command_line(machine: Machine) -> str:
    """Return the build's command line and what the machine adds to it.

    `panic=-1` makes a panicked kernel reboot, which `-no-reboot` turns into the end of QEMU, so
    that a dead machine is seen as such. `no_timer_check`: an emulated timer on a busy host may
    tick too late for the kernel's check at start, which then panics ("IO-APIC + timer doesn't
    work"); seen once in some hundred boots.
    """
    words = [machine.command_line, "panic=-1"]
    if machine.accelerator != "kvm":
        words.append("no_timer_check")
    if machine.address is not None:
        static = machine.address
        beside = f",{static.gateway or ''},{static.dns or ''}".rstrip(",")
        words.append(f"ingot.ip={static.address}/{static.prefix_length}{beside}")
    return " ".join(word for word in words if word)


def _processor(machine: Machine) -> tuple[str, ...]:
    if machine.accelerator == "kvm":
        return ("-accel", "kvm", "-cpu", "host", "-smp", str(machine.cpus))
    # One thread is as fast as several for one processor; `max` has RDRAND, without which the
    # guest waits seconds for randomness.
    threads = "single" if machine.cpus == 1 else "multi"
    return ("-accel", f"tcg,thread={threads}", "-cpu", "max", "-smp", str(machine.cpus))


def _control() -> list[str]:
    return [
        *("-chardev", f"socket,id=qmp,path={qmp.SOCKET_NAME},server=on,wait=off"),
        *("-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=console,path={CONSOLE_SOCKET},server=on,wait=off,{_LOGFILE}"),
        *("-serial", "chardev:console"),
        *("-device", "virtio-serial-pci"),
        *("-chardev", "file,id=status,path=status.jsonl,append=on"),
        *("-device", "virtserialport,chardev=status,name=ingot.status"),
        *("-chardev", f"socket,id=agent,path={AGENT_SOCKET},server=on,wait=off"),
        *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
    ]


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


def _networks(machine: Machine, taps: Sequence[int]) -> Iterator[str]:
    left = list(taps)
    for index, network in enumerate(machine.networks):
        if network.kind == "user":
            words = _user_network(machine, first=index == 0)
        elif network.kind == "tap":
            words = ["tap", f"ifname={network.interface}", "script=no", "downscript=no"]
        else:
            words = ["tap", f"fd={left.pop(0)}"]
        words.insert(1, f"id=net{index}")
        yield from ("-netdev", ",".join(words))
        # romfile= leaves out the network boot ROM, which would only cost time.
        yield from ("-device", f"virtio-net-pci,netdev=net{index},mac={network.mac},romfile=")


def _user_network(machine: Machine, *, first: bool) -> list[str]:
    words = ["user"]
    guest = ""
    if first and machine.address is not None:
        static = machine.address
        guest = static.address
        # The first lease of QEMU's DHCP server is then the very address.
        words += [
            f"net={static.network}",
            f"host={static.gateway}",
            f"dns={static.dns}",
            f"dhcpstart={static.address}",
        ]
    words += [
        f"hostfwd={port.protocol}:{port.host_address}:{port.host_port}-{guest}:{port.guest_port}"
        for port in machine.ports
    ]
    return words


def _disk(index: int, disk: Disk) -> list[str]:
    # JSON, because a file name may hold the commas that QEMU's other syntax splits at.
    protocol = "host_device" if disk.path.startswith("/dev/") else "file"
    block = {
        "driver": disk.format,
        "node-name": f"disk{index}",
        "discard": "unmap",
        "file": {"driver": protocol, "filename": disk.path, "discard": "unmap"},
    }
    return [
        *("-blockdev", json.dumps(block, separators=(",", ":"))),
        *("-device", f"virtio-blk-pci,drive=disk{index},serial=ingot-{index}"),
    ]


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
    return text.replace(f"{PROGRAM}: ", "") or "QEMU said nothing"
