"""VMware Workstation, Player and Fusion: machines as .vmx files, by `vmrun`."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ingot.base.errors import UsageError
from ingot.vm.build import Medium
from ingot.vm.disks.config_drive import CONFIG_DRIVE
from ingot.vm.machine import (
    BridgeMeaning,
    ImageBoot,
    Machine,
    MetadataWay,
    Network,
    RunnerName,
    addresses_of,
    on_config_drive,
)
from ingot.vm.runners.contract import Launched, Plan
from ingot.vm.runners.foreign import boot_medium, disk_files, disk_sizes, validate_foreign
from ingot.vm.runners.programs import RefusedError, await_process, call, carry_out, require
from ingot.vm.state.processes import Process

CONFIGURATION = "machine.vmx"

_PROGRAM = "vmrun"
_HOST_TYPE = "fusion" if sys.platform == "darwin" else "ws"
_CARDS_MAX = 8
# VMware's own files escape double quotes, bars and control characters so, and are read so.
_ESCAPED = re.compile(r'["|\x00-\x08\x0a-\x1f\x7f]')


class VmwareRunner:
    """Machines as VMware's; they boot disks and CDs, and their guest stops by open-vm-tools."""

    name: RunnerName = "vmware"
    title = "VMware"
    media: tuple[Medium, ...] = ("iso", "raw", "vmdk")
    metadata_ways: tuple[MetadataWay, ...] = ("cd",)
    uses_kvm = False
    bridge_meaning: BridgeMeaning = "own"
    has_channels = False

    def available(self) -> None:
        """Make sure that VMware is installed."""
        require(_PROGRAM, "install VMware Workstation or Fusion, which vmrun is part of")

    def validate(self, machine: Machine) -> None:
        """Refuse what VMware cannot do."""
        validate_foreign(machine, self.title)
        name = f"machine {machine.name!r}"
        if len(machine.networks) > _CARDS_MAX:
            raise UsageError(f"{name}: VMware has at most {_CARDS_MAX} cards")
        if machine.ports:
            raise UsageError(
                f"{name}: --publish: VMware forwards ports for the whole host, not for a machine",
                hint="the host reaches the guest on its own address; or use --network bridge=IF",
            )
        if addresses_of(machine):
            raise UsageError(
                f"{name}: --ip has no way into a guest of VMware",
                hint="give the address in the appliance, or by the DHCP server of its network",
            )

    def plan(self, machine: Machine) -> Plan:
        """Return the .vmx file and the command that starts it."""
        return plan(machine, disk_sizes(machine))

    def run(self, machine: Machine) -> Launched:
        """Write the .vmx file and have VMware start it without a window."""
        carry_out(self.plan(machine), machine)
        path = str(machine.directory / CONFIGURATION)
        try:
            return Launched(
                await_process(machine, lambda words: "vmware-vmx" in words[0] and path in words)
            )
        except BaseException:
            _vmrun(machine.directory, "stop", "hard")
            raise

    def power_down(self, directory: Path) -> None:
        """Ask the guest's open-vm-tools to shut it down."""
        _vmrun(directory, "stop", "soft")

    def kill(self, directory: Path, process: Process) -> None:
        """Pull the plug."""
        try:
            _vmrun(directory, "stop", "hard")
        except RefusedError as error:
            if "not powered on" not in error.said:
                raise

    def forget(self, directory: Path) -> None:
        """Take away the .vmx file, which is all that VMware knows."""
        with contextlib.suppress(FileNotFoundError):
            (directory / CONFIGURATION).unlink()


def plan(machine: Machine, sizes_bytes: tuple[int, ...]) -> Plan:
    """Return the files of the machine and the command that starts it; pure.

    Args:
        machine: the machine.
        sizes_bytes: see `disk_files`.
    """
    lines = (f'{key} = "{_escaped(str(value))}"' for key, value in _settings(machine))
    files = {CONFIGURATION: "\n".join(lines) + "\n", **disk_files(machine, sizes_bytes)}
    path = str(machine.directory / CONFIGURATION)
    return Plan(files, ((_PROGRAM, "-T", _HOST_TYPE, "start", path, "nogui"),))


def _settings(machine: Machine) -> Iterator[tuple[str, object]]:
    yield ".encoding", "UTF-8"
    yield "config.version", 8
    yield "virtualHW.version", 16
    yield "displayName", machine.name
    # The newest that this version of the hardware knows.
    yield "guestOS", "other4xlinux-64"
    yield "firmware", "efi" if machine.uefi else "bios"
    yield "uuid.bios", _uuid(machine.uuid)
    # A question of VMware's would wait for an answer without a window.
    yield "uuid.action", "keep"
    yield "msg.autoAnswer", "TRUE"
    yield "numvcpus", machine.cpus
    yield "memsize", machine.memory_mib
    yield "floppy0.present", "FALSE"
    yield "pciBridge0.present", "TRUE"
    yield "pciBridge4.present", "TRUE"
    yield "pciBridge4.virtualDev", "pcieRootPort"
    yield "pciBridge4.functions", 8
    yield "serial0.present", "TRUE"
    yield "serial0.fileType", "file"
    yield "serial0.fileName", "console.log"
    yield "scsi0.present", "TRUE"
    yield "scsi0.virtualDev", "pvscsi"
    yield from _disks(machine)
    for index, network in enumerate(machine.networks):
        yield from _card(index, network)


def _disks(machine: Machine) -> Iterator[tuple[str, object]]:
    for index in range(len(machine.disks)):
        unit = _unit(index)
        yield f"{unit}.present", "TRUE"
        yield f"{unit}.fileName", f"disk-{index}.vmdk"
    is_cd = isinstance(machine.boot, ImageBoot) and machine.boot.format == "iso"
    path = boot_medium(machine)
    if is_cd or on_config_drive(machine):
        yield "sata0.present", "TRUE"
    if on_config_drive(machine):
        yield "sata0:1.present", "TRUE"
        yield "sata0:1.deviceType", "cdrom-image"
        yield "sata0:1.fileName", CONFIG_DRIVE
    if is_cd:
        yield "sata0:0.present", "TRUE"
        yield "sata0:0.deviceType", "cdrom-image"
        yield "sata0:0.fileName", path
        yield "bios.bootOrder", "cdrom"
        return
    unit = _unit(len(machine.disks))
    yield f"{unit}.present", "TRUE"
    yield f"{unit}.fileName", path
    # What is written to the image is forgotten when the machine is off.
    yield f"{unit}.mode", "independent-nonpersistent"
    yield "bios.bootOrder", "hdd"
    yield "bios.hddOrder", unit


def _unit(index: int) -> str:
    # Place 7 of a SCSI bus is the controller itself.
    return f"scsi0:{index if index < 7 else index + 1}"


def _card(index: int, network: Network) -> Iterator[tuple[str, object]]:
    card = f"ethernet{index}"
    yield f"{card}.present", "TRUE"
    yield f"{card}.virtualDev", "vmxnet3"
    if network.kind == "user":
        yield f"{card}.connectionType", "nat"
    else:
        # VMware's own bridges have the names of its virtual networks.
        yield f"{card}.connectionType", "custom"
        yield f"{card}.vnet", network.interface
    yield f"{card}.addressType", "static"
    yield f"{card}.address", network.mac
    # Without it only addresses that begin with 00:50:56 are taken.
    yield f"{card}.checkMACAddress", "FALSE"


def _escaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: f"|{ord(found[0]):02X}", value)


def _uuid(text: str) -> str:
    digits = text.replace("-", "")
    pairs = [digits[index : index + 2] for index in range(0, len(digits), 2)]
    return f"{' '.join(pairs[:8])}-{' '.join(pairs[8:])}"


def _vmrun(directory: Path, verb: str, how: str) -> str:
    path = str(directory / CONFIGURATION)
    return call([_PROGRAM, "-T", _HOST_TYPE, verb, path, how], directory)
