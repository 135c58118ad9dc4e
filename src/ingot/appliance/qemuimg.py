"""Turns raw disks into the formats of hypervisors by the host's qemu-img."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ingot.appliance.tools import find_tool
from ingot.base.errors import Error

TOOL = "qemu-img"
_TIMEOUT_S = 3600


def convert(raw: Path, target: Path, image_format: str, *options: str) -> None:
    """Write the raw disk in another format.

    Args:
        raw: the disk.
        target: a path that does not exist.
        image_format: qemu-img's name.
        options: of the format, `name=value`.

    Raises:
        MissingToolError: qemu-img is not installed.
        Error: qemu-img failed; its last words are in the message.
    """
    command = [
        *(os.fspath(find_tool(TOOL)), "convert", "-f", "raw", "-O", image_format),
        # One request at a time: several compressed ones land in the order in which they end, and
        # the same disk gives other bytes now and then.
        *("-m", "1"),
        *(word for option in options for word in ("-o", option)),
        *(os.fspath(raw), os.fspath(target)),
    ]
    done = subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Error(
            f"qemu-img failed with exit code {done.returncode}: {' '.join(words[-2:])}",
            hint="is there room on the disk?",
        )
