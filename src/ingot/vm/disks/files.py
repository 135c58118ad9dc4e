"""A machine's disks: the `--disk` option, and files that are created once and never overwritten."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ingot.base.atomic import fsync_directory
from ingot.base.errors import ConflictError, Error, MissingToolError, NotFoundError, UsageError
from ingot.base.units import MIB, format_size, parse_size
from ingot.vm.machine import Disk, DiskFormat

DISKS_MAX = 16
DISK_BYTES_MIN = 1 * MIB

_QEMU_IMG_TIMEOUT_S = 120.0
_QCOW2_MAGIC = b"QFI\xfb"
_HINT = "write it like size=4G, FILE, FILE,size=4G or FILE,format=qcow2"


def parse_disks(texts: Iterable[str], directory: Path) -> tuple[Disk, ...]:
    """Read every `--disk` of a command line.

    Args:
        texts: `size=4G | FILE[,size=SIZE][,format=raw|qcow2]`, in the order the guest sees them.
        directory: where disks without a path of their own live (the machine's directory).

    Raises:
        UsageError: one is malformed, or a file is given twice.
    """
    disks = tuple(_parse(text, index, directory) for index, text in enumerate(texts))
    if len(disks) > DISKS_MAX:
        raise UsageError(f"a machine has at most {DISKS_MAX} disks")
    seen: set[str] = set()
    for disk in disks:
        real = os.path.realpath(disk.path)
        if real in seen:
            raise UsageError(f"--disk {disk.path}: the same file is given twice")
        seen.add(real)
    return disks


def prepare(disk: Disk) -> None:
    """Create the disk if it is missing, grow it if it is smaller than asked; keep it otherwise.

    Raises:
        NotFoundError: there is no such file and no size to create it with.
        ConflictError: it is larger than asked, or not what its format says.
        MissingToolError: qcow2 needs `qemu-img`, which is not installed.
    """
    path = Path(disk.path)
    try:
        status = path.stat()
    except FileNotFoundError:
        _create(disk, path)
        return
    if stat.S_ISBLK(status.st_mode):
        return
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"disk {path} is neither a file nor a block device")
    if status.st_size == 0 and disk.size_bytes:
        # What a creation that was cut short leaves; there is nothing in it to lose.
        path.unlink()
        _create(disk, path)
        return
    _check_format(disk, path)
    if disk.size_bytes:
        _grow(disk, path)


def _parse(text: str, index: int, directory: Path) -> Disk:
    file: str | None = None
    options: dict[str, str] = {}
    for position, part in enumerate(text.split(",")):
        key, equals, value = part.partition("=")
        if equals and key in {"size", "format", "file"} and key not in options:
            options[key] = value
        elif position == 0 and part and not equals:
            file = part
        else:
            raise UsageError(f"--disk {text}: cannot read {part!r}", hint=_HINT)
    file = options.get("file", file)
    size_bytes = _size(text, options.get("size"))
    if file is None and size_bytes is None:
        raise UsageError(f"--disk {text}: a size or a file is needed", hint=_HINT)
    path = Path(file).absolute() if file else directory / f"disk-{index}.img"
    return Disk(
        path=str(path), format=_format(text, options.get("format"), path), size_bytes=size_bytes
    )


def _size(text: str, size: str | None) -> int | None:
    if size is None:
        return None
    size_bytes = parse_size(size, default_unit="g")
    if size_bytes < DISK_BYTES_MIN or size_bytes % 512:
        raise UsageError(
            f"--disk {text}: a disk has at least {format_size(DISK_BYTES_MIN)}, in whole sectors"
        )
    return size_bytes


def _format(text: str, name: str | None, path: Path) -> DiskFormat:
    match name:
        case "raw":
            return "raw"
        case "qcow2":
            return "qcow2"
        case None:
            return "qcow2" if path.suffix == ".qcow2" else "raw"
        case _:
            raise UsageError(f"--disk {text}: {name!r} is no disk format", hint="use raw or qcow2")


def _create(disk: Disk, path: Path) -> None:
    if disk.size_bytes is None:
        raise NotFoundError(
            f"disk {path} does not exist", hint=f"create it with --disk {path},size=4G"
        )
    if not path.parent.is_dir():
        raise NotFoundError(f"the folder of disk {path} does not exist")
    if disk.format == "qcow2":
        _qemu_img("create", "-q", "-f", "qcow2", str(path), str(disk.size_bytes))
    else:
        # Sparse: the file takes room as the guest writes.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, disk.size_bytes)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    fsync_directory(path.parent)


def _check_format(disk: Disk, path: Path) -> None:
    with path.open("rb") as file:
        is_qcow2 = file.read(len(_QCOW2_MAGIC)) == _QCOW2_MAGIC
    if is_qcow2 != (disk.format == "qcow2"):
        # Guessing would let a guest that writes a qcow2 header into a raw disk name any file of
        # the host as its backing file, so the user has to say it.
        found = "qcow2" if is_qcow2 else "raw"
        raise ConflictError(
            f"disk {path} looks like {found} but is used as {disk.format}",
            hint=f"say --disk {path},format={found} if you trust what is in it",
        )


def _grow(disk: Disk, path: Path) -> None:
    assert disk.size_bytes is not None
    size_bytes = _qcow2_size(path) if disk.format == "qcow2" else path.stat().st_size
    if size_bytes > disk.size_bytes:
        raise ConflictError(
            f"disk {path} has {format_size(size_bytes)}, more than the"
            f" {format_size(disk.size_bytes)} asked for",
            hint="a disk is never shrunk; give its size or a larger one",
        )
    if size_bytes == disk.size_bytes:
        return
    if disk.format == "qcow2":
        _qemu_img("resize", "-q", "-f", "qcow2", str(path), str(disk.size_bytes))
    else:
        os.truncate(path, disk.size_bytes)


def _qcow2_size(path: Path) -> int:
    # QEMU's docs/interop/qcow2.txt: bytes 24 to 31 hold the virtual size, big-endian.
    with path.open("rb") as file:
        file.seek(24)
        return int.from_bytes(file.read(8), "big")


def _qemu_img(*arguments: str) -> None:
    program = shutil.which("qemu-img")
    if program is None:
        raise MissingToolError(
            "qemu-img is not installed; qcow2 disks need it",
            hint="install the Debian package qemu-utils, or use format=raw",
        )
    result = subprocess.run(
        [program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_QEMU_IMG_TIMEOUT_S,
    )
    if result.returncode:
        raise Error(f"qemu-img failed: {result.stderr.strip() or result.stdout.strip()}")
