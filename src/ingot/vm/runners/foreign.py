"""What VirtualBox and VMware machines share: raw disks behind descriptors, and common limits."""

from __future__ import annotations

from pathlib import Path

from ingot.base.errors import UsageError
from ingot.vm.machine import ImageBoot, KernelBoot, Machine
from ingot.vm.runners.descriptors import descriptor

BOOT_DESCRIPTOR = "boot.vmdk"


def disk_files(machine: Machine, sizes_bytes: tuple[int, ...]) -> dict[str, str]:
    """Return a descriptor for each raw disk, by its file name in the machine's folder.

    Args:
        machine: the machine.
        sizes_bytes: of each of its disks, in order, and then of a raw disk that it boots.
    """
    sizes = list(sizes_bytes)
    files = {}
    for index, disk in enumerate(machine.disks):
        files[f"disk-{index}.vmdk"] = descriptor(Path(disk.path), sizes.pop(0), machine.uuid)
    if isinstance(machine.boot, ImageBoot) and machine.boot.format == "raw":
        files[BOOT_DESCRIPTOR] = descriptor(machine.boot.path, sizes.pop(0), machine.uuid)
    return files


def disk_sizes(machine: Machine) -> tuple[int, ...]:
    """Return the sizes on this host that `disk_files` needs."""
    paths = [Path(disk.path) for disk in machine.disks]
    if isinstance(machine.boot, ImageBoot) and machine.boot.format == "raw":
        paths.append(machine.boot.path)
    return tuple(path.stat().st_size for path in paths)


def boot_medium(machine: Machine) -> Path:
    """Return the file that the firmware boots."""
    assert isinstance(machine.boot, ImageBoot)
    if machine.boot.format == "raw":
        return machine.directory / BOOT_DESCRIPTOR
    return machine.boot.path


def validate_foreign(machine: Machine, title: str) -> None:
    """Refuse what no hypervisor but QEMU has a way for.

    Raises:
        UsageError: the message names the flag.
    """
    name = f"machine {machine.name!r}"
    if isinstance(machine.boot, KernelBoot):
        raise UsageError(f"{name}: {title} boots disks and CDs, no kernels")
    if machine.arch not in {"amd64", "x86_64"}:
        raise UsageError(f"{name}: {title} runs builds for amd64 here, not {machine.arch}")
    if machine.has_metadata and machine.metadata_way != "cd":
        raise UsageError(
            f"{name}: --data-as {machine.metadata_way} is for QEMU; {title} has CDs",
            hint="use --data-as cd",
        )
    refuse_shares(machine, title)
    for disk in machine.disks:
        if disk.format != "raw" or disk.path.startswith("/dev/"):
            raise UsageError(
                f"{name}: {title} takes raw files for disks here, not {disk.path}",
                hint="convert it: qemu-img convert -O raw",
            )
    for network in machine.networks:
        if network.kind == "tap":
            raise UsageError(
                f"{name}: {title} has no cards on a tap", hint="use --network bridge=INTERFACE"
            )


def refuse_shares(machine: Machine, title: str) -> None:
    """Refuse folders of the host, which QEMU alone is given here.

    Raises:
        UsageError: the machine has some.
    """
    if machine.shares:
        raise UsageError(
            f"machine {machine.name!r}: {title} has no --share here", hint="run it on qemu"
        )
