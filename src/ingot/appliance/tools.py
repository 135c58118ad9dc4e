"""Programs of the host that outputs use: where they are, or a hint how to get them."""

from __future__ import annotations

import shutil
from pathlib import Path

from ingot.base.errors import MissingToolError

_PACKAGES = {"mksquashfs": "squashfs-tools", "qemu-img": "qemu-utils"}


def find_tool(name: str) -> Path:
    """Return the path of a program.

    Raises:
        MissingToolError: it is not installed.
    """
    # sbin is not in every user's path.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise MissingToolError(
            f"{name} is needed to build this and is not installed",
            hint=f"install the Debian package {_PACKAGES[name]}",
        )
    return Path(found)
