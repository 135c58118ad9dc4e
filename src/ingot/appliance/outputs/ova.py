"""The format `ova`: a virtual machine in one file, which VirtualBox and VMware import."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from ingot.appliance.disks import bios_disk
from ingot.appliance.loaders import BIOS_ARCHES, BIOS_LOADER
from ingot.appliance.media.ovf import VirtualMachine, render_ovf
from ingot.appliance.media.vmdk import disk_number, write_vmdk
from ingot.appliance.outputs import OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.appliance.squashfs import TOOL
from ingot.base.errors import UsageError

# Network cards by the drivers that they need; VirtualBox has the first one only.
_CARDS = {"e1000": "E1000", "vmxnet3": "VmxNet3"}
# Who imports it does not choose; services need some, too.
_MEMORY_MIB_MIN = 512


class Ova:
    """See the module."""

    name = "ova"
    suffixes = (".ova",)
    needs = (TOOL,)
    loaders = (BIOS_LOADER,)
    arches = BIOS_ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.ova: descriptor, digests and disk, in the order that importers want."""
        card = _card(plan)
        disk = bios_disk(plan, target)
        image = target.work / f"{target.name}-disk1.vmdk"
        write_vmdk(disk.path, image, disk_number(plan.name))
        memory_mib = max(_MEMORY_MIB_MIN, disk.memory_mib)
        descriptor = render_ovf(
            VirtualMachine(
                name=target.name,
                disk_name=image.name,
                disk_bytes=image.stat().st_size,
                capacity_bytes=disk.path.stat().st_size,
                memory_mib=memory_mib,
                card=card,
            )
        )
        ovf, digests = (target.work / f"{target.name}.{suffix}" for suffix in ("ovf", "mf"))
        ovf.write_bytes(descriptor)
        digests.write_bytes(b"".join(_digest_line(path) for path in (ovf, image)))
        file_name = f"{target.name}{self.suffixes[0]}"
        _pack(target.folder / file_name, ovf, digests, image)
        return [OutputFile("ova", file_name, disk.firmware, memory_mib)]


def _card(plan: Plan) -> str:
    """Return the first network card that the kernel has a driver for."""
    drivers = {driver.name for driver in plan.cards}
    for needed, card in _CARDS.items():
        if needed in drivers:
            return card
    raise UsageError(
        f"{plan.name}: the kernel has no driver for a network card of VirtualBox or VMware",
        hint="build it with --platform generic; a kernel image's labels name its drivers",
    )


def _digest_line(path: Path) -> bytes:
    with path.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    return f"SHA256({path.name})= {digest}\n".encode()


def _pack(target: Path, *paths: Path) -> None:
    """Write an archive of the plain POSIX form, without dates and owners."""
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in paths:
            member = tarfile.TarInfo(path.name)
            member.size = path.stat().st_size
            with path.open("rb") as body:
                archive.addfile(member, body)


OUTPUT = Ova()
