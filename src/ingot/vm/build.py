"""What a build left for a machine to boot: its manifest, or its files by LinuxKit's names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ingot.base.errors import IntegrityError, NotFoundError, UsageError

MANIFEST_BYTES_MAX = 4 << 20
COMMAND_LINE_BYTES_MAX = 2048
"""The kernel's COMMAND_LINE_SIZE on x86; what is longer it would cut off without a word."""

_MEMORY_MIB_DEFAULT = 512
_ARCH_DEFAULT = "amd64"
_SCHEMA = 1


class Build(msgspec.Struct, frozen=True):
    """The bootable files of one build.

    Attributes:
        name: the build's name, the machine's unless it is given another.
        arch: Debian's name of the architecture.
        memory_mib: the RAM it asks for.
    """

    name: str
    arch: str
    kernel: Path
    initrd: Path
    command_line: str
    memory_mib: int


class _File(msgspec.Struct):
    role: str
    path: str
    size_bytes: int


class _Manifest(msgspec.Struct):
    schema: Literal[1]
    name: str
    arch: str
    files: list[_File]
    memory_mib: int | None = None


def exists(prefix: Path) -> bool:
    """Tell whether a build of this path prefix (`DIR/NAME`) is there."""
    return _manifest_path(prefix).is_file() or _beside(prefix, "-kernel").is_file()


def read_build(prefix: Path) -> Build:
    """Find what to boot: `NAME.manifest.json` when there, else `NAME-kernel` and its companions.

    Args:
        prefix: `DIR/NAME` of the build.

    Raises:
        NotFoundError: there is no such build, or it lacks a file.
        UsageError: the build is not of a form that boots from kernel and initrd.
        IntegrityError: a file is not as the manifest says.
    """
    if _manifest_path(prefix).is_file():
        return _from_manifest(_manifest_path(prefix))
    kernel = _beside(prefix, "-kernel")
    if not kernel.is_file():
        raise NotFoundError(
            f"there is no build {prefix.name!r} in {prefix.parent}",
            hint=f"build it first: ingot build --dir {prefix.parent} {prefix.name}.yml",
        )
    return Build(
        name=prefix.name,
        arch=_ARCH_DEFAULT,
        kernel=kernel,
        initrd=_present(_beside(prefix, "-initrd.img")),
        command_line=_command_line(_present(_beside(prefix, "-cmdline"))),
        memory_mib=_MEMORY_MIB_DEFAULT,
    )


def _from_manifest(path: Path) -> Build:
    try:
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            raise UsageError(f"{path} is too large for a manifest")
        manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is no manifest of schema {_SCHEMA}: {error}") from error
    roles = {file.role: file for file in manifest.files}
    for role in ("kernel", "initrd", "cmdline"):
        if role not in roles:
            raise UsageError(
                f"{path} lists no {role}, so the build does not boot by itself",
                hint="build it with --format kernel+initrd",
            )
    return Build(
        name=manifest.name,
        arch=manifest.arch,
        kernel=_listed(path, roles["kernel"]),
        initrd=_listed(path, roles["initrd"]),
        command_line=_command_line(_listed(path, roles["cmdline"])),
        memory_mib=manifest.memory_mib or _MEMORY_MIB_DEFAULT,
    )


def _manifest_path(prefix: Path) -> Path:
    return _beside(prefix, ".manifest.json")


def _beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _listed(manifest: Path, file: _File) -> Path:
    path = _present(manifest.parent / file.path)
    # The size alone, since hashing the initrd would slow every start; it catches a build that
    # was cut short or half replaced.
    if path.stat().st_size != file.size_bytes:
        raise IntegrityError(
            f"{path} does not have the {file.size_bytes} bytes that {manifest.name} says",
            hint="build it again",
        )
    return path


def _present(path: Path) -> Path:
    if not path.is_file():
        raise NotFoundError(f"the build lacks {path}", hint="build it again")
    return path


def _command_line(path: Path) -> str:
    data = path.read_bytes()
    text = data.decode("utf-8", "replace").strip()
    if len(data) > COMMAND_LINE_BYTES_MAX or not text.isprintable():
        raise UsageError(f"{path} is no kernel command line of one line")
    return text
