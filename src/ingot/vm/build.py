"""What a build left for a machine to boot: by its manifest, LinuxKit's file names, or one image."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, cast

import msgspec

from ingot.base.errors import IntegrityError, NotFoundError, UsageError
from ingot.vm.machine import BootChoice, Firmware, ImageBoot, ImageFormat, KernelBoot

MANIFEST_BYTES_MAX = 4 << 20
COMMAND_LINE_BYTES_MAX = 2048
"""The kernel's COMMAND_LINE_SIZE on x86; what is longer it would cut off without a word."""

_MEMORY_MIB_DEFAULT = 512
_ARCH_DEFAULT = "amd64"
_SCHEMA = 1


_FORMATS: dict[str, ImageFormat] = {
    ".iso": "iso",
    ".qcow2": "qcow2",
    ".img": "raw",
    ".raw": "raw",
    ".vmdk": "vmdk",
    ".vhd": "vhd",
    ".vdi": "vdi",
}

Medium = Literal["kernel"] | ImageFormat


class Build(msgspec.Struct, frozen=True):
    """What of one build is booted.

    Attributes:
        name: the build's name, the machine's unless it is given another.
        arch: Debian's name of the architecture.
        memory_mib: the RAM it asks for.
        uefi: whether the machine has UEFI firmware.
    """

    name: str
    arch: str
    memory_mib: int
    boot: KernelBoot | ImageBoot
    uefi: bool


class Wanted(NamedTuple):
    """What may be booted.

    Attributes:
        media: what the runner boots, in its order of preference.
        boot: the form that the user insists on.
        uefi: whether the user insists on UEFI or on BIOS.
    """

    media: tuple[Medium, ...] = ("kernel", "qcow2", "raw", "vmdk", "vhd", "vdi", "iso")
    boot: BootChoice | None = None
    uefi: bool | None = None


class _File(msgspec.Struct):
    role: str
    path: str
    size_bytes: int
    firmware: tuple[Firmware, ...] = ()

    @property
    def medium(self) -> Medium | None:
        """What it boots as; None if it does not by itself."""
        if self.role == "kernel":
            return "kernel"
        return _FORMATS.get(Path(self.path).suffix) if self.role in {"disk", "iso"} else None


class _Manifest(msgspec.Struct):
    schema: Literal[1]
    name: str
    arch: str
    files: list[_File]
    memory_mib: int | None = None


def exists(prefix: Path) -> bool:
    """Tell whether a build of this path prefix (`DIR/NAME`), or an image file, is there."""
    return (
        _manifest_path(prefix).is_file() or _beside(prefix, "-kernel").is_file() or is_image(prefix)
    )


def is_image(path: Path) -> bool:
    """Tell whether the path is a disk or CD image by its name."""
    return path.suffix in _FORMATS and path.is_file()


def read_build(prefix: Path, wanted: Wanted) -> Build:
    """Find what to boot: by `NAME.manifest.json`, else by the file names of kernel and initrd.

    Args:
        prefix: `DIR/NAME` of the build, or the path of a disk or CD image.
        wanted: what may be booted.

    Raises:
        NotFoundError: there is no such build, or it lacks a file.
        UsageError: nothing in it boots in the way that is wanted.
        IntegrityError: a file is not as the manifest says.
    """
    if is_image(prefix):
        role = "iso" if prefix.suffix == ".iso" else "disk"
        manifest = _Manifest(1, prefix.stem, _ARCH_DEFAULT, [_file(role, prefix)])
    elif _manifest_path(prefix).is_file():
        manifest = _read_manifest(_manifest_path(prefix))
    elif _beside(prefix, "-kernel").is_file():
        companions = {"kernel": "-kernel", "initrd": "-initrd.img", "cmdline": "-cmdline"}
        files = [_file(role, _beside(prefix, suffix)) for role, suffix in companions.items()]
        manifest = _Manifest(1, prefix.name, _ARCH_DEFAULT, files)
    else:
        raise NotFoundError(
            f"there is no build {prefix.name!r} in {prefix.parent}",
            hint=f"build it first: ingot build --dir {prefix.parent} {prefix.name}.yml",
        )
    file = _choose(manifest.files, wanted, prefix)
    return Build(
        name=manifest.name,
        arch=manifest.arch,
        memory_mib=manifest.memory_mib or _MEMORY_MIB_DEFAULT,
        boot=_boot(file, manifest.files, prefix),
        uefi=file.firmware == ("uefi",) if wanted.uefi is None else wanted.uefi,
    )


def _choose(files: list[_File], wanted: Wanted, prefix: Path) -> _File:
    """Return the file that the runner likes best among those the user would have."""
    able = [file for file in files if file.medium in wanted.media]
    if not able:
        raise UsageError(
            f"the build {prefix} has nothing that boots by itself here",
            hint="build it with --format kernel+initrd",
        )
    liked = [
        file
        for file in able
        if wanted.boot in {None, file.role} and _has_firmware(file, uefi=wanted.uefi)
    ]
    if not liked:
        form = f" from {wanted.boot}" if wanted.boot else ""
        firmware = {True: " under UEFI", False: " under BIOS", None: ""}[wanted.uefi]
        have = ", ".join(f"{file.role} ({'/'.join(file.firmware) or 'any'})" for file in able)
        raise UsageError(
            f"the build {prefix} does not boot{form}{firmware}", hint=f"it boots: {have}"
        )
    return min(liked, key=lambda file: wanted.media.index(cast("Medium", file.medium)))


def _has_firmware(file: _File, *, uefi: bool | None) -> bool:
    # A file that does not say so is taken at the user's word.
    return uefi is None or not file.firmware or ("uefi" if uefi else "bios") in file.firmware


def _boot(file: _File, files: list[_File], prefix: Path) -> KernelBoot | ImageBoot:
    folder = prefix.parent
    if file.medium != "kernel":
        assert file.medium is not None
        return ImageBoot(_checked(folder, file), file.medium)
    roles = {each.role: each for each in files}
    for role in ("initrd", "cmdline"):
        if role not in roles:
            raise UsageError(f"the build {prefix} has a kernel but no {role}")
    return KernelBoot(
        kernel=_checked(folder, file),
        initrd=_checked(folder, roles["initrd"]),
        command_line=_command_line(_checked(folder, roles["cmdline"])),
        root=_checked(folder, roles["root"]) if "root" in roles else None,
    )


def _read_manifest(path: Path) -> _Manifest:
    try:
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            raise UsageError(f"{path} is too large for a manifest")
        return msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is no manifest of schema {_SCHEMA}: {error}") from error


def _file(role: str, path: Path) -> _File:
    """Describe a file that no manifest describes."""
    return _File(role, path.name, _present(path).stat().st_size)


def _manifest_path(prefix: Path) -> Path:
    return _beside(prefix, ".manifest.json")


def _beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _checked(folder: Path, file: _File) -> Path:
    path = _present(folder / file.path)
    # The size alone, since hashing the initrd would slow every start; it catches a build that
    # was cut short or half replaced.
    if path.stat().st_size != file.size_bytes:
        raise IntegrityError(
            f"{path} does not have the {file.size_bytes} bytes that its manifest says",
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
