"""What one `ingot run` asks for, and how it changes the spec that is kept for the machine."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ingot.base.errors import UsageError
from ingot.vm.build import is_image
from ingot.vm.disks.files import parse_disks
from ingot.vm.machine import (
    AcceleratorChoice,
    BootChoice,
    MachineSpec,
    MetadataWay,
    Network,
    PublishedPort,
    RunnerName,
    Share,
    StaticAddress,
    check_name,
)
from ingot.vm.networks.cards import check_networks, default_networks, parse_networks

METADATA_BYTES_MAX = 1 << 20
"""Of what a guest is told; it holds all of it in memory."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of one `ingot run`; what is None or empty was not given.

    Attributes:
        prefix: the build as the user named it, `NAME` or `DIR/NAME`.
        name: the machine's name, if not the build's.
        disks: the `--disk` texts in order, parsed when the machine's folder is known.
        networks: the `--network` texts in order, parsed when the machine's identity is known.
        metadata: what the guest is told; empty takes away what it was told before.
        reset: forget what earlier runs asked for; the disks themselves stay.
    """

    prefix: str | None = None
    name: str | None = None
    cpus: int | None = None
    memory_mib: int | None = None
    disks: tuple[str, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    networks: tuple[str, ...] = ()
    addresses: tuple[StaticAddress, ...] = ()
    accelerator: AcceleratorChoice | None = None
    runner: RunnerName | None = None
    boot: BootChoice | None = None
    uefi: bool | None = None
    metadata: bytes | None = None
    metadata_way: MetadataWay | None = None
    shares: tuple[Share, ...] = ()
    reset: bool = False


def machine_name(request: Request) -> str:
    """Return the name of the machine that is meant.

    Raises:
        UsageError: neither a build nor a name was given, or it cannot name a machine.
    """
    if request.name is not None:
        return check_name(request.name)
    if request.prefix is None:
        raise UsageError(
            "which machine?",
            hint="name a build, as in 'ingot run store', or a machine with --name",
        )
    name = Path(request.prefix).name
    if name.endswith((".yml", ".yaml")):
        stem = name.rpartition(".")[0]
        raise UsageError(
            f"{request.prefix} is no build yet",
            hint=f"ingot build {request.prefix} && ingot run {stem}",
        )
    path = Path(request.prefix)
    return check_name(path.stem if is_image(path) else name)


def apply(
    request: Request,
    kept: MachineSpec | None,
    *,
    build: Path | None,
    directory: Path,
    uuid: str,
) -> MachineSpec:
    """Return the spec to start: what was kept, changed by what was asked for now.

    Args:
        request: the flags given now.
        kept: the spec of earlier runs, if the machine exists.
        build: the absolute path prefix of the build that `request.prefix` names, if there is one.
        directory: the machine's folder, where disks without a path live.
        uuid: the identity of a machine that is new.

    Raises:
        UsageError: an option is malformed or contradicts another, or a new machine has no build.
    """
    name = machine_name(request)
    if request.metadata is not None and len(request.metadata) > METADATA_BYTES_MAX:
        raise UsageError(f"the metadata has more than {METADATA_BYTES_MAX >> 20} MiB")
    if kept is None:
        if build is None:
            raise UsageError(f"machine {name!r} is new: say which build it boots")
        base = MachineSpec(name=name, uuid=uuid, prefix=str(build))
    elif request.reset:
        base = MachineSpec(name=name, uuid=kept.uuid, prefix=kept.prefix, disks=kept.disks)
    else:
        base = kept
    changes = {
        "prefix": str(build) if build is not None else None,
        "cpus": request.cpus,
        "memory_mib": request.memory_mib,
        "disks": parse_disks(request.disks, directory) or None,
        "ports": request.ports or None,
        "networks": parse_networks(request.networks, base.uuid) if request.networks else None,
        "accelerator": request.accelerator,
        "runner": request.runner,
        "shares": request.shares or None,
        "metadata_way": request.metadata_way,
        "boot": request.boot,
        "uefi": request.uefi,
        "has_metadata": None if request.metadata is None else bool(request.metadata),
    }
    given = {key: value for key, value in changes.items() if value is not None}
    spec = msgspec.structs.replace(base, **given)
    if request.addresses:
        by_kind = {address.is_ipv6: address for address in request.addresses}
        spec = msgspec.structs.replace(spec, address=by_kind.get(False), address6=by_kind.get(True))
    check_networks(spec, networks_of(spec))
    return spec


def networks_of(spec: MachineSpec) -> tuple[Network, ...]:
    """Return the machine's network cards."""
    return default_networks(spec.uuid) if spec.networks is None else spec.networks
