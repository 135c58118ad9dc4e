"""Output formats: one module each, with a class instance named OUTPUT, found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ingot.appliance.plan import Plan
from ingot.base.errors import IntegrityError, UsageError
from ingot.oci.tree import Content, Tree

Role = Literal[
    "kernel", "initrd", "cmdline", "root", "tar", "disk", "iso", "ova", "sbom", "contents"
]
Firmware = Literal["bios", "uefi"]
ARCHES = ("amd64", "arm64")

# What to take for formats of LinuxKit that are not here.
_INSTEAD = {
    "kernel+iso": "kernel+squashfs has the root as a disk, too, and verifies it",
    "rpi3": "raw-efi --arch arm64 starts where the board has UEFI firmware",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how an output writes.

    Attributes:
        folder: takes the build's files; nothing in it is visible before all is done.
        work: takes what outputs make on the way and may share; it vanishes after the build.
        name: what file names start with.
        compress_level: of zstd, 1 to 22; None is the output's default, which favours speed.
        loaders: files of boot loaders, by the component that brings them.
        disk_bytes: how large disks are at least; what their content does not need is free.
    """

    folder: Path
    work: Path
    name: str
    compress_level: int | None = None
    loaders: Mapping[str, Tree] = field(default_factory=dict)
    disk_bytes: int = 0

    def loader_file(self, component: str, path: str) -> Content:
        """Return a boot loader's file.

        Raises:
            IntegrityError: the component has no such file.
        """
        entry = self.loaders[component].resolve(path)
        if entry is None or entry.content is None:
            raise IntegrityError(
                f"{component} has no /{path}",
                hint="the package that it is made of may have changed: use another --suite",
            )
        return entry.content


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file an output wrote.

    Attributes:
        file_name: relative to the target's folder.
        firmware: what starts it by itself.
        memory_mib: the RAM a machine needs to boot it; 0 where it does not boot by itself.
    """

    role: Role
    file_name: str
    firmware: tuple[Firmware, ...] = ()
    memory_mib: int = 0


class Output(Protocol):
    """One format. The same plan gives the same bytes, at any time, path and machine."""

    name: str
    """What `--format` calls it; LinuxKit's name where LinuxKit has the format."""
    suffixes: tuple[str, ...]
    """What its files' names add to the appliance's name."""
    needs: tuple[str, ...]
    """Programs of the host without which it cannot work."""
    loaders: tuple[str, ...]
    """Components whose files it puts on a medium to boot it."""
    arches: tuple[str, ...]
    """Debian's names of the architectures it can be built for."""

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write all files of the format.

        Raises:
            UsageError: the appliance lacks something the format must have.
            MissingToolError: one of `needs` is not installed.
            Error: a tool failed.
        """
        ...


def find_outputs() -> dict[str, Output]:
    """Return every format by its name, sorted."""
    found: list[Output] = [
        importlib.import_module(f"{__name__}.{module.name}").OUTPUT
        for module in pkgutil.iter_modules(__path__)
    ]
    return {output.name: output for output in sorted(found, key=lambda output: output.name)}


def find_output(name: str) -> Output:
    """Return the format called `name`; raises UsageError if there is none."""
    outputs = find_outputs()
    if name not in outputs:
        hint = _INSTEAD.get(name, f"formats: {', '.join(outputs)}")
        raise UsageError(f"there is no output format {name!r}", hint=hint)
    return outputs[name]
