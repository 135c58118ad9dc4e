"""What a machine is: the spec that is kept for a name, and the resolved machine a runner boots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from ingot.base.errors import UsageError
from ingot.base.units import MIB, parse_size

SPEC_SCHEMA = 1
CPUS_MAX = 64
MEMORY_MIB_MIN = 64
MEMORY_MIB_MAX = 1 << 20

DiskFormat = Literal["raw", "qcow2"]
Protocol = Literal["tcp", "udp"]
AcceleratorChoice = Literal["auto", "kvm", "tcg"]
Accelerator = Literal["kvm", "tcg", "own"]
"""`own` is what a hypervisor other than QEMU uses."""

RunnerName = Literal["qemu", "libvirt", "virtualbox", "vmware"]
NetworkKind = Literal["user", "tap", "bridge"]
BridgeMeaning = Literal["bridge", "interface", "own"]
"""What a hypervisor calls a bridge: Linux's, any interface of the host, or a network of its own."""

BootChoice = Literal["kernel", "disk", "iso"]
ImageFormat = Literal["raw", "qcow2", "vmdk", "vhd", "vdi", "iso"]
Firmware = Literal["bios", "uefi"]
MetadataWay = Literal["fw-cfg", "cd"]
"""How metadata reaches a guest: by a device of QEMU's, or on a CD."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?", re.IGNORECASE)


class Disk(msgspec.Struct, frozen=True):
    """One disk of a machine.

    Attributes:
        path: absolute path of the image or block device.
        format: how the file is to be read; never guessed from what a guest wrote into it.
        size_bytes: the size to create it with or to grow it to; None takes it as it is.
    """

    path: str
    format: DiskFormat = "raw"
    size_bytes: int | None = None


class PublishedPort(msgspec.Struct, frozen=True):
    """A port of the guest that answers on an address of the host."""

    host_address: str
    host_port: int
    guest_port: int
    protocol: Protocol = "tcp"

    @property
    def is_ipv6(self) -> bool:
        """Whether it answers on an IPv6 address."""
        return ":" in self.host_address

    @property
    def endpoint(self) -> str:
        """Where it answers, as in a URL."""
        address = f"[{self.host_address}]" if self.is_ipv6 else self.host_address
        return f"{address}:{self.host_port}"

    def __str__(self) -> str:
        return f"{self.endpoint}->{self.guest_port}/{self.protocol}"


class Network(msgspec.Struct, frozen=True):
    """One network card of a machine, and what it is plugged into.

    Attributes:
        interface: the host's tap or bridge; None for the user network.
        mac: the card's address, fixed for the machine's life.
    """

    kind: NetworkKind
    interface: str | None
    mac: str


class Share(msgspec.Struct, frozen=True):
    """A folder of the host that the guest mounts by a name."""

    path: str
    name: str
    read_only: bool = False


class StaticAddress(msgspec.Struct, frozen=True):
    """A fixed address of the guest's first card, with its gateway and name server if any."""

    address: str
    prefix_length: int
    network: str
    gateway: str | None = None
    dns: str | None = None

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 address."""
        return ":" in self.address

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix_length}"


class KernelBoot(msgspec.Struct, frozen=True):
    """A kernel that the hypervisor loads by itself, past all boot loaders.

    Attributes:
        root: the image of the root file system where the RAM disk does not carry it; a disk that
            is never written.
    """

    kernel: Path
    initrd: Path
    command_line: str
    root: Path | None = None


class ImageBoot(msgspec.Struct, frozen=True):
    """A disk or CD image that the machine's firmware boots; it is never written."""

    path: Path
    format: ImageFormat


class MachineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for under a name; kept as `machine.json` and started again from it.

    Attributes:
        prefix: absolute path prefix of the build (`DIR/NAME`), read anew at every start.
        cpus: virtual processors; None is one.
        memory_mib: RAM; None takes what the build's manifest says.
        uuid: identity that the guest sees, fixed for the machine's life.
        networks: its network cards; None is one on the user network.
        address: its fixed IPv4 address.
        address6: its fixed IPv6 address.
        boot: which of the build's forms it boots; None is the first that its runner can.
        uefi: whether it has UEFI firmware; None is what the build's form needs.
        has_metadata: whether its guest is given the `metadata` file of the machine's folder.
        metadata_way: how; None is what its runner likes best.
    """

    schema: int = SPEC_SCHEMA
    name: str
    uuid: str
    prefix: str
    cpus: int | None = None
    memory_mib: int | None = None
    disks: tuple[Disk, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    networks: tuple[Network, ...] | None = None
    address: StaticAddress | None = None
    address6: StaticAddress | None = None
    accelerator: AcceleratorChoice = "auto"
    runner: RunnerName = "qemu"
    boot: BootChoice | None = None
    uefi: bool | None = None
    has_metadata: bool = False
    shares: tuple[Share, ...] = ()
    metadata_way: MetadataWay | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine with nothing left to decide: the input of a runner's `command`.

    Sockets and logs are named relative to `directory`, the runner's working directory, because a
    Unix socket's path may not be longer than 107 bytes.
    """

    name: str
    uuid: str
    directory: Path
    arch: str
    boot: KernelBoot | ImageBoot
    uefi: bool
    cpus: int
    memory_mib: int
    disks: tuple[Disk, ...]
    ports: tuple[PublishedPort, ...]
    networks: tuple[Network, ...]
    address: StaticAddress | None
    address6: StaticAddress | None = None
    has_metadata: bool
    metadata_way: MetadataWay = "fw-cfg"
    shares: tuple[Share, ...] = ()
    accelerator: Accelerator


def addresses_of(machine: MachineSpec | Machine) -> tuple[StaticAddress, ...]:
    """Return the fixed addresses, IPv4 first."""
    return tuple(each for each in (machine.address, machine.address6) if each is not None)


def on_config_drive(machine: Machine) -> bool:
    """Tell whether the machine has a CD with its metadata."""
    return machine.has_metadata and machine.metadata_way == "cd"


def check_name(name: str) -> str:
    """Return `name` if it can name a machine.

    Raises:
        UsageError: it is empty, too long, or has other characters than letters, digits, `_.-`.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} cannot name a machine",
            hint="use at most 63 letters, digits, '-', '_', '.'; a letter or digit at both ends",
        )
    return name


def parse_memory_mib(text: str) -> int:
    """Read `--mem`: `512` (MiB), `512M` or `1G`.

    Raises:
        UsageError: it is no size, no whole number of MiB, or out of bounds.
    """
    size_bytes = parse_size(text, default_unit="m")
    memory_mib, rest = divmod(size_bytes, MIB)
    if rest or not MEMORY_MIB_MIN <= memory_mib <= MEMORY_MIB_MAX:
        raise UsageError(
            f"a machine cannot have {text!r} of memory",
            hint=f"give whole MiB from {MEMORY_MIB_MIN}M to {MEMORY_MIB_MAX}M",
        )
    return memory_mib


def parse_cpus(count: int) -> int:
    """Return `count` if a machine can have so many processors.

    Raises:
        UsageError: it is out of bounds.
    """
    if not 1 <= count <= CPUS_MAX:
        raise UsageError(f"a machine cannot have {count} CPUs", hint=f"give 1 to {CPUS_MAX}")
    return count
