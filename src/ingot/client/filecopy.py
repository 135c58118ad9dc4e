"""Copies one local file to another, and compares two; knows nothing of services and trees."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ingot.base.atomic import atomic_descriptor, fsync_directory, rename_exclusively
from ingot.base.errors import ConflictError, Error, IntegrityError
from ingot.base.limits import TRANSFER_CHUNK_BYTES
from ingot.client.beneath import open_file
from ingot.client.crew import Advance
from ingot.client.entries import Stamp
from ingot.client.fileattributes import attributes_of_file, restore
from ingot.client.localnames import describe, prepare_local_path, remove_empty_folders
from ingot.client.places import FilePlace
from ingot.s3 import checksums
from ingot.s3client.body import SourceChangedError

# _IOW(0x94, 9, int): take over another file's extents, as Btrfs, XFS and others can.
_FICLONE = 0x40049409
# No set-uid: a copy has the owner it happens to get.
_PERMISSIONS = 0o777
_NO_CLONE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS, errno.EPERM}

# Makes the file of the first descriptor one with the second's bytes, or tells that it cannot.
Clone = Callable[[int, int], bool]


def clone(target: int, source: int) -> bool:
    """Let the file system share the source's bytes; False if it cannot.

    Raises:
        OSError: it can and failed.
    """
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NO_CLONE:
            return False
        raise
    return True


class Keeping(NamedTuple):
    """What a copy has of its source beside the bytes.

    Attributes:
        attributes: time, permission bits and owner (an owner only if we may); else permission
            bits as far as the umask leaves them.
        durable: whether it is on the device when the copy returns.
        replaces: whether it takes the place of what has the name.
    """

    attributes: bool = False
    durable: bool = True
    replaces: bool = True


def copy_file(
    source: FilePlace, target: Path, keeping: Keeping, advance: Advance, *, cloned: Clone = clone
) -> None:
    """Make `target` a copy of `source`, whole or not at all.

    Bytes that the file system cannot share are summed up while they are copied, and read back and
    compared before the copy takes its name. Holes stay holes.

    Args:
        source: a plain file, or a link to one if it may be followed.
        target: the name of the copy; its folder exists. What has the name is replaced.
        keeping: what is kept.
        advance: told of bytes as they move; may raise to stop.
        cloned: shares the bytes.

    Raises:
        FileNotFoundError: the source is gone.
        ConflictError: both are one file; or the name is taken, and not to be replaced.
        SourceChangedError: the source changed meanwhile.
        IntegrityError: the copy does not have the bytes that were read.
        Error: one cannot be read or written.
    """
    path = source.path
    try:
        origin = open_file(source)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Error(f"cannot read {path}: {error.strerror}") from error
    try:
        before = os.fstat(origin)
        _check(path, before, target)
        with atomic_descriptor(
            str(target), mode=None, durable=keeping.durable, replaces=keeping.replaces
        ) as goal:
            is_shared = cloned(goal, origin)
            read = None if is_shared else _copy_bytes(path, origin, goal, before.st_size, advance)
            if Stamp.of(os.fstat(origin)) != Stamp.of(before):
                raise SourceChangedError(f"{path} changed while it was read")
            if not is_shared and os.pread(origin, 1, before.st_size):
                # The kernel's own files, as in /proc, are not measured before they are read.
                raise SourceChangedError(f"{path} has more bytes than its size says")
            if is_shared:
                advance(before.st_size)
            elif _sum(goal, _stretches(origin, before.st_size)) != read:
                raise IntegrityError(f"{target} would not have the bytes of {path}")
            if keeping.attributes:
                kept = attributes_of_file(before)
                restore(goal, replace(kept, mode=before.st_mode & _PERMISSIONS), name=target)
            else:
                _keep_permissions(goal, before)
    except FileExistsError as error:
        raise ConflictError(f"{target} appeared meanwhile; it stays as it is") from error
    except OSError as error:
        raise Error(f"cannot copy {path} to {target}: {error.strerror}") from error
    finally:
        os.close(origin)


def move_file(source: FilePlace, target: FilePlace, *, replaces: bool = True) -> bool:
    """Give a file another name, and remove the folders that became empty; False if it cannot be.

    It cannot be between file systems, and a link is no file.

    Raises:
        FileNotFoundError: the source is gone.
        ConflictError: both are one file; or there is one that is not to be replaced.
        Error: it cannot be moved.
    """
    path = Path(prepared_path(target, replaces=replaces))
    try:
        status = os.lstat(source.path)
        if stat.S_ISLNK(status.st_mode):
            return False
        _check(source.path, status, path)
        if replaces:
            os.rename(source.path, path)
        else:
            rename_exclusively(str(source.path), str(path))
        fsync_directory(path.parent)
        remove_empty_folders(source.root, source.name)
        if source.path.parent.is_dir():
            fsync_directory(source.path.parent)
    except FileNotFoundError:
        raise
    except FileExistsError as error:
        raise ConflictError(f"{path} appeared meanwhile; it stays as it is") from error
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise Error(f"cannot move {source.path} to {path}: {error.strerror}") from error
    return True


def prepared_path(target: FilePlace, *, replaces: bool = True, makes_folders: bool = True) -> str:
    """Return the path of a file that will be written, with the folders above it made.

    Args:
        target: the file.
        replaces: whether there may be one of this name.
        makes_folders: if not, nothing is changed.

    Raises:
        Error: as `prepare_local_path`, or the system refuses.
        ConflictError: there is one and may not be.
    """
    try:
        return prepare_local_path(
            target.root, target.name, makes_folders=makes_folders, replaces=replaces
        )
    except OSError as error:
        raise Error(f"cannot write {target.path}: {error.strerror}") from error


def same_bytes(first: Path, second: Path) -> str | None:
    """Compare two files up to the first difference; return their SHA-256 if there is none.

    Raises:
        OSError: one cannot be read.
    """
    total = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        descriptors = []
        for path in (first, second):
            descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
            stack.callback(os.close, descriptors[-1])
        offset = 0
        while True:
            one, other = (os.pread(each, TRANSFER_CHUNK_BYTES, offset) for each in descriptors)
            if one != other:
                return None
            if not one:
                return total.hexdigest()
            total.update(one)
            offset += len(one)


def _check(source: Path, status: os.stat_result, target: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Error(f"{source} is {describe(status.st_mode)}, not a plain file")
    with contextlib.suppress(FileNotFoundError):
        present = os.stat(target)
        if (present.st_dev, present.st_ino) == (status.st_dev, status.st_ino):
            raise ConflictError(f"{source} and {target} are the same file")


def _copy_bytes(path: Path, origin: int, goal: int, size_bytes: int, advance: Advance) -> bytes:
    """Copy what is between holes, and return its checksum.

    Raises:
        SourceChangedError: there are less bytes.
    """
    total, offset = checksums.new("CRC64NVME"), 0
    for start, end in _stretches(origin, size_bytes):
        advance(start - offset)
        offset = start
        while offset < end:
            block = os.pread(origin, min(TRANSFER_CHUNK_BYTES, end - offset), offset)
            if not block:
                raise SourceChangedError(f"{path} became shorter while it was read")
            _write_all(goal, block, offset)
            total.update(block)
            offset += len(block)
            advance(len(block))
    # Also a hole at the end, and a file that is nothing but one.
    os.ftruncate(goal, size_bytes)
    advance(size_bytes - offset)
    return total.digest()


def _sum(descriptor: int, stretches: Iterator[tuple[int, int]]) -> bytes:
    total = checksums.new("CRC64NVME")
    for start, end in stretches:
        for offset in range(start, end, TRANSFER_CHUNK_BYTES):
            total.update(os.pread(descriptor, min(TRANSFER_CHUNK_BYTES, end - offset), offset))
    return total.digest()


def _stretches(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield where the file has bytes: start and end of each stretch between holes."""
    end = 0
    while end < size_bytes:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size_bytes)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # the rest is a hole
            start, end = end, size_bytes  # this file system does not tell
        if start < end:
            yield start, end


def _write_all(descriptor: int, block: bytes, offset: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]


def _keep_permissions(goal: int, source: os.stat_result) -> None:
    # What the umask leaves of 0666 also tells whom it lets execute: who may read.
    left = stat.S_IMODE(os.fstat(goal).st_mode)
    os.fchmod(goal, source.st_mode & _PERMISSIONS & (left | (left >> 2 & 0o111)))
