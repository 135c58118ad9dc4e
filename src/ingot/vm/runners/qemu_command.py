"""The command line with which QEMU boots a machine. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ingot.vm.control import qmp
from ingot.vm.disks.config_drive import CONFIG_DRIVE
from ingot.vm.disks.shares import announcement, socket_name
from ingot.vm.guest.agent import SOCKET_NAME as AGENT_SOCKET
from ingot.vm.guest.console import SOCKET_NAME as CONSOLE_SOCKET
from ingot.vm.machine import (
    Disk,
    ImageBoot,
    ImageFormat,
    KernelBoot,
    Machine,
    addresses_of,
    on_config_drive,
)
from ingot.vm.networks.forwards import forward_rules
from ingot.vm.runners.qemu_boards import board
from ingot.vm.state.folders import METADATA_NAME

UEFI_VARIABLES = "uefi-vars.fd"
"""The machine's own copy of the variable store, in its folder."""

DRIVERS: Mapping[ImageFormat, str] = {"vhd": "vpc", "iso": "raw"}
"""QEMU's names of image formats, where they are others than ours."""

# By a file and not by the command line, which every user of the host can read.
_METADATA = ("-fw_cfg", f"name=opt/ingot/data,file={METADATA_NAME}")

_LOGFILE = "logfile=console.log,logappend=on"

# The process may not gain privileges, start programs, or use system calls that are long obsolete.
_SANDBOX = (
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
)


def command(machine: Machine, taps: Sequence[int] = ()) -> list[str]:
    """Return QEMU's command line; sockets and logs are relative to the machine's folder.

    Args:
        machine: the machine.
        taps: the descriptors of the taps of its bridge networks, in their order.
    """
    return [
        board(machine.arch).program,
        *("-name", machine.name, "-uuid", machine.uuid),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", ",".join(_board(machine))),
        *(*_processor(machine), "-m", str(machine.memory_mib)),
        *_SANDBOX,
        *("-pidfile", "qemu.pid"),
        *(_uefi(machine) if machine.uefi else ()),
        *(_kernel(machine, machine.boot) if isinstance(machine.boot, KernelBoot) else ()),
        *(_METADATA if machine.has_metadata and not on_config_drive(machine) else ()),
        *("-object", "rng-random,id=rng,filename=/dev/urandom"),
        *("-device", "virtio-rng-pci,rng=rng"),
        *_control(),
        *_shares(machine),
        *_networks(machine, taps),
        *(word for index, disk in enumerate(machine.disks) for word in _disk(index, disk)),
        *_medium(machine.boot),
        *(_config_drive() if on_config_drive(machine) else ()),
    ]


def kernel_command_line(machine: Machine, boot: KernelBoot) -> str:
    """Return the build's command line and what the machine adds to it.

    `panic=-1` makes a panicked kernel reboot, which `-no-reboot` turns into the end of QEMU, so
    that a dead machine is seen as such.
    """
    kind = board(machine.arch)
    words = [boot.command_line, "panic=-1"]
    if kind.console is not None:
        # The last console is the machine's.
        words.append(f"console={kind.console}")
    if machine.accelerator != "kvm":
        words += kind.words
    for static in addresses_of(machine):
        beside = f",{static.gateway or ''},{static.dns or ''}".rstrip(",")
        words.append(f"ingot.ip={static}{beside}")
    return " ".join(word for word in words if word)


def _board(machine: Machine) -> Iterator[str]:
    yield board(machine.arch).machine
    if machine.uefi:
        yield from ("pflash0=uefi", "pflash1=uefi-vars")
    if machine.shares:
        yield "memory-backend=memory"


def _shares(machine: Machine) -> Iterator[str]:
    if not machine.shares:
        return
    # What serves a share reads and writes the guest's memory.
    size = f"size={machine.memory_mib}M"
    yield from ("-object", f"memory-backend-memfd,id=memory,{size},share=on")
    yield from ("-fw_cfg", f"name=opt/ingot/shares,string={announcement(machine.shares)}")
    for index, share in enumerate(machine.shares):
        yield from ("-chardev", f"socket,id=share{index},path={socket_name(index)}")
        yield from ("-device", f"vhost-user-fs-pci,chardev=share{index},tag={share.name}")


def _processor(machine: Machine) -> tuple[str, ...]:
    if machine.accelerator == "kvm":
        return ("-accel", "kvm", "-cpu", "host", "-smp", str(machine.cpus))
    # One thread is as fast as several for one processor.
    threads = "single" if machine.cpus == 1 else "multi"
    return (
        "-accel",
        f"tcg,thread={threads}",
        "-cpu",
        board(machine.arch).emulated,
        "-smp",
        str(machine.cpus),
    )


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


def _networks(machine: Machine, taps: Sequence[int]) -> Iterator[str]:
    left = list(taps)
    for index, network in enumerate(machine.networks):
        if network.kind == "user":
            words = user_network(machine, first=index == 0)
        elif network.kind == "tap":
            words = ["tap", f"ifname={network.interface}", "script=no", "downscript=no"]
        else:
            words = ["tap", f"fd={left.pop(0)}"]
        words.insert(1, f"id=net{index}")
        yield from ("-netdev", ",".join(words))
        # romfile= leaves out the network boot ROM, which would only cost time.
        yield from ("-device", f"virtio-net-pci,netdev=net{index},mac={network.mac},romfile=")


def user_network(machine: Machine, *, first: bool) -> list[str]:
    """Return the words of the user network's `-netdev`; `first` tells the first card's."""
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
    if first and machine.address6 is not None:
        static = machine.address6
        words += [
            f"ipv6-net={static.network}",
            f"ipv6-host={static.gateway}",
            f"ipv6-dns={static.dns}",
        ]
    return words + [f"hostfwd={rule}" for rule in forward_rules(machine.ports, guest)]


def _uefi(machine: Machine) -> list[str]:
    firmware = str(board(machine.arch).firmware)
    code = {"driver": "file", "node-name": "uefi", "filename": firmware, "read-only": True}
    store = {"driver": "file", "node-name": "uefi-vars", "filename": UEFI_VARIABLES}
    return [*("-blockdev", _json(code)), *("-blockdev", _json(store))]


def _kernel(machine: Machine, boot: KernelBoot) -> list[str]:
    return [
        *("-kernel", str(boot.kernel), "-initrd", str(boot.initrd)),
        *("-append", kernel_command_line(machine, boot)),
    ]


def _medium(boot: KernelBoot | ImageBoot) -> list[str]:
    """Return the disk or CD of the build, which comes after the user's disks."""
    if isinstance(boot, KernelBoot):
        if boot.root is None:
            return []
        device = "virtio-blk-pci,drive=boot,serial=ingot-boot"
        return ["-blockdev", _read_only("raw", boot.root), "-device", device]
    return _image(boot)


def _config_drive() -> list[str]:
    device = ["virtio-scsi-pci,id=config", "scsi-cd,bus=config.0,drive=metadata"]
    block = _read_only("raw", Path(CONFIG_DRIVE), "metadata")
    return ["-blockdev", block, *(word for each in device for word in ("-device", each))]


def _read_only(driver: str, path: Path, name: str = "boot") -> str:
    file = {"driver": "file", "filename": str(path), "read-only": True}
    return _json({"driver": driver, "node-name": name, "read-only": True, "file": file})


def _image(boot: ImageBoot) -> list[str]:
    block = _read_only(DRIVERS.get(boot.format, boot.format), boot.path)
    if boot.format == "iso":
        # On virtio, since Debian's cloud kernel has no AHCI.
        device = ["virtio-scsi-pci,id=scsi", "scsi-cd,bus=scsi.0,drive=boot,bootindex=0"]
    else:
        device = ["virtio-blk-pci,drive=boot,serial=ingot-boot,bootindex=0"]
    return ["-blockdev", block, *(word for each in device for word in ("-device", each))]


def _disk(index: int, disk: Disk) -> list[str]:
    protocol = "host_device" if disk.path.startswith("/dev/") else "file"
    block = {
        "driver": disk.format,
        "node-name": f"disk{index}",
        "discard": "unmap",
        "file": {"driver": protocol, "filename": disk.path, "discard": "unmap"},
    }
    return [
        *("-blockdev", _json(block)),
        *("-device", f"virtio-blk-pci,drive=disk{index},serial=ingot-{index}"),
    ]


def _json(block: Mapping[str, object]) -> str:
    # JSON, because a file name may hold the commas that QEMU's other syntax splits at.
    return json.dumps(block, separators=(",", ":"))
