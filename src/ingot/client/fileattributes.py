"""Reads the attributes of files of this machine, and gives them back."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ingot.base.errors import Error
from ingot.client.attributes import FileAttributes


def attributes_of_file(status: os.stat_result) -> FileAttributes:
    """Return what is kept of a file."""
    mode = stat.S_IMODE(status.st_mode)
    return FileAttributes(status.st_mtime_ns, mode, status.st_uid, status.st_gid)


def restore(descriptor: int, attributes: FileAttributes, *, name: Path) -> None:
    """Give a file what was kept of the one it comes from; an owner only if we may.

    Args:
        descriptor: of the file.
        attributes: what was kept.
        name: what people call it.

    Raises:
        Error: the file system refuses.
    """
    try:
        # The owner first: changing it takes permission bits away.
        if os.geteuid() == 0 and attributes.uid is not None and attributes.gid is not None:
            os.chown(descriptor, attributes.uid, attributes.gid)
        if attributes.mode is not None:
            os.chmod(descriptor, attributes.mode)
        if attributes.modified_ns is not None:
            os.utime(descriptor, ns=(attributes.modified_ns, attributes.modified_ns))
    except OSError as error:
        raise Error(f"cannot set the attributes of {name}: {error.strerror}") from error
