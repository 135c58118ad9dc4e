"""VirtualBox: machines of this user on this host, by `VBoxManage` and `VBoxHeadless`."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ingot.base.errors import Error, MissingToolError, UsageError
from ingot.vm.build import Medium
from ingot.vm.disks.config_drive import CONFIG_DRIVE
from ingot.vm.machine import (
    BridgeMeaning,
    ImageBoot,
    Machine,
    MetadataWay,
    Network,
    RunnerName,
    on_config_drive,
)
from ingot.vm.runners.contract import Launched, Plan
from ingot.vm.runners.foreign import boot_medium, disk_files, disk_sizes, validate_foreign
from ingot.vm.runners.programs import RefusedError, call, carry_out, require
from ingot.vm.state.folders import MachineFolder
from ingot.vm.state.processes import Process

SETTINGS = "virtualbox"
"""The folder in a machine's folder where VirtualBox keeps what it knows of it."""

_MANAGE = "VBoxManage"
_HEADLESS = "VBoxHeadless"
_CARDS_MAX = 8
# The NAT engine's DHCP server always leases the fifteenth address, and is itself the second.
_NAT_OFFSET = 15
_START_TIMEOUT_S = 60.0
_UNLOCK_TIMEOUT_S = 20.0
_POLL_S = 0.2


class VirtualBoxRunner:
    """Machines as VirtualBox's, made anew at each start; they boot disks and CDs."""

    name: RunnerName = "virtualbox"
    title = "VirtualBox"
    media: tuple[Medium, ...] = ("iso", "raw", "vmdk", "vdi", "vhd")
    metadata_ways: tuple[MetadataWay, ...] = ("cd",)
    uses_kvm = False
    bridge_meaning: BridgeMeaning = "interface"
    has_channels = False

    def available(self) -> None:
        """Make sure that VirtualBox is installed."""
        for program in (_MANAGE, _HEADLESS):
            require(program, "install VirtualBox 6.1 or later, from virtualbox.org")

    def validate(self, machine: Machine) -> None:
        """Refuse what VirtualBox cannot do."""
        validate_foreign(machine, self.title)
        name = f"machine {machine.name!r}"
        if len(machine.networks) > _CARDS_MAX:
            raise UsageError(f"{name}: VirtualBox has at most {_CARDS_MAX} cards")
        for port in machine.ports:
            if port.is_ipv6:
                raise UsageError(
                    f"{name}: --publish {port}: VirtualBox forwards no IPv6 ports",
                    hint="publish on an IPv4 address, or use --network bridge=INTERFACE",
                )
        if machine.address6 is not None:
            raise UsageError(
                f"{name}: --ip {machine.address6} has no way into a guest of VirtualBox",
                hint="give the address in the appliance",
            )
        if machine.address is None:
            return
        if machine.networks[0].kind != "user":
            raise UsageError(
                f"{name}: --ip reaches a guest of VirtualBox by DHCP on the user network only",
                hint="give the address in the appliance, or by the DHCP server of that network",
            )
        network = ipaddress.IPv4Network(machine.address.network)
        leased = network.network_address + _NAT_OFFSET
        if machine.address.address != str(leased):
            raise UsageError(
                f"{name}: VirtualBox always leases {leased} on {network}", hint=f"use --ip {leased}"
            )

    def plan(self, machine: Machine) -> Plan:
        """Return the commands that register the machine anew and start it."""
        return plan(machine, disk_sizes(machine))

    def run(self, machine: Machine) -> Launched:
        """Register the machine and start VirtualBox in a session of its own."""
        self.forget(machine.directory)
        made = self.plan(machine)
        carry_out(made._replace(commands=made.commands[:-1]), machine)
        log = MachineFolder(machine.directory).hypervisor_log
        with log.open("ab") as file:
            process = subprocess.Popen(
                made.commands[-1],
                cwd=machine.directory,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _await_running(machine, process)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return Launched(process.pid, process)

    def power_down(self, directory: Path) -> None:
        """Press the ACPI power button."""
        call([_MANAGE, "controlvm", _identity(directory), "acpipowerbutton"], directory)

    def kill(self, directory: Path, process: Process) -> None:
        """Pull the plug."""
        try:
            call([_MANAGE, "controlvm", _identity(directory), "poweroff"], directory)
        except RefusedError as error:
            if "is not currently running" not in error.said:
                raise

    def forget(self, directory: Path) -> None:
        """Take the machine out of VirtualBox's list; its disks are ours and stay."""
        # A VirtualBox that is not there any more keeps nothing.
        with contextlib.suppress(MissingToolError):
            _unregister(directory)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(directory / SETTINGS)


def plan(machine: Machine, sizes_bytes: tuple[int, ...]) -> Plan:
    """Return what VirtualBox is told; pure.

    Args:
        machine: the machine.
        sizes_bytes: see `disk_files`.
    """
    uuid, folder = machine.uuid, machine.directory
    create = ("createvm", "--name", machine.name, "--uuid", uuid, "--ostype", "Linux_64")
    firmware = "efi" if machine.uefi else "bios"
    first = "dvd" if _is_cd(machine) else "disk"
    boot = ("--type", "dvddrive") if _is_cd(machine) else ("--type", "hdd", "--mtype", "immutable")
    commands = [
        (*create, "--basefolder", str(folder / SETTINGS), "--register"),
        (
            *("modifyvm", uuid, "--cpus", str(machine.cpus), "--memory", str(machine.memory_mib)),
            *("--firmware", firmware, "--acpi", "on", "--ioapic", "on", "--rtcuseutc", "on"),
            *("--boot1", first, "--boot2", "none", "--boot3", "none", "--boot4", "none"),
            *("--uart1", "0x3F8", "4", "--uartmode1", "file", str(folder / "console.log")),
        ),
        *(
            ("modifyvm", uuid, *_card(machine, index, network))
            for index, network in enumerate(machine.networks)
        ),
        # The firmware reads the boot medium; a guest's disks are on virtio.
        ("storagectl", uuid, "--name", "boot", "--add", "sata", "--portcount", "2"),
        (
            *("storageattach", uuid, "--storagectl", "boot", "--port", "0", "--device", "0"),
            *(*boot, "--medium", str(boot_medium(machine))),
        ),
    ]
    if on_config_drive(machine):
        place = ("--storagectl", "boot", "--port", "1", "--device", "0", "--type", "dvddrive")
        commands.append(("storageattach", uuid, *place, "--medium", str(folder / CONFIG_DRIVE)))
    if machine.disks:
        commands.append(("storagectl", uuid, "--name", "data", "--add", "virtio-scsi"))
    for index in range(len(machine.disks)):
        place = ("--storagectl", "data", "--port", str(index), "--device", "0", "--type", "hdd")
        medium = ("--medium", str(folder / f"disk-{index}.vmdk"))
        commands.append(("storageattach", uuid, *place, *medium))
    start = (_HEADLESS, "--startvm", uuid, "--vrde", "off")
    return Plan(
        disk_files(machine, sizes_bytes), (*((_MANAGE, *words) for words in commands), start)
    )


def _is_cd(machine: Machine) -> bool:
    return isinstance(machine.boot, ImageBoot) and machine.boot.format == "iso"


def _card(machine: Machine, index: int, network: Network) -> Iterator[str]:
    number = index + 1
    yield from (f"--nictype{number}", "virtio", f"--cableconnected{number}", "on")
    yield from (f"--macaddress{number}", network.mac.replace(":", "").upper())
    if network.kind != "user":
        assert network.interface is not None
        yield from (f"--nic{number}", "bridged", f"--bridgeadapter{number}", network.interface)
        return
    yield from (f"--nic{number}", "nat")
    guest = ""
    if index == 0 and machine.address is not None:
        guest = machine.address.address
        yield from (f"--natnet{number}", machine.address.network)
    for rule, port in enumerate(machine.ports):
        # A rule has a name of its own, for one port may be published on two addresses.
        outside = f"{port.host_address},{port.host_port}"
        yield f"--natpf{number}"
        yield f"port-{rule},{port.protocol},{outside},{guest},{port.guest_port}"


def _identity(directory: Path) -> str:
    return MachineFolder(directory).read_spec().uuid


def _unregister(directory: Path) -> None:
    """Unregister the machine, once VirtualBox has seen that its process has ended."""
    deadline_s = time.monotonic() + _UNLOCK_TIMEOUT_S
    while True:
        try:
            call([_MANAGE, "unregistervm", _identity(directory)], directory)
        except RefusedError as error:
            if "VBOX_E_OBJECT_NOT_FOUND" in error.said:
                return
            is_locked = "VBOX_E_INVALID_OBJECT_STATE" in error.said
            if not is_locked or time.monotonic() >= deadline_s:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _await_running(machine: Machine, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        command = [_MANAGE, "showvminfo", machine.uuid, "--machinereadable"]
        if 'VMState="running"' in call(command, machine.directory):
            return
        time.sleep(_POLL_S)
    log = MachineFolder(machine.directory).hypervisor_log
    said = log.read_text(errors="replace").strip().rpartition("\n")[2]
    raise Error(
        f"machine {machine.name!r} could not be started: {said or 'VirtualBox said nothing'}",
        hint=f"VirtualBox's words are in {log}",
    )
