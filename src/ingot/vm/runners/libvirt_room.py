"""What libvirt's QEMU opens by itself in a machine's folder, and the user who must be able to.

The libvirt of the host runs QEMU as a user of its own. To what it knows from a domain it gives
that user access; it does not know of the agent's socket and the metadata, which are on QEMU's
command line. They are in a folder of that user's.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable
from pathlib import Path

from ingot.base.atomic import write_atomically
from ingot.base.errors import DeniedError
from ingot.vm.guest.agent import SOCKET_NAME as AGENT_SOCKET
from ingot.vm.machine import ImageBoot, Machine, on_config_drive
from ingot.vm.state.folders import METADATA_NAME

ROOM = "libvirt"

_DAC = re.compile(
    r"<model>dac</model>.*?<baselabel type='(?:kvm|qemu)'>\+(\d+):\+(\d+)<", re.DOTALL
)
_OTHERS_PASS = 0o711
_MAY_PASS = 0o001


def agent_path(directory: Path) -> Path:
    """Return where QEMU listens for clients of the guest's agent."""
    return directory / ROOM / AGENT_SOCKET


def metadata_path(directory: Path) -> Path:
    """Return the file that QEMU passes on as metadata."""
    return directory / ROOM / METADATA_NAME


def owner_of(capabilities: str) -> tuple[int, int] | None:
    """Return the user and group that QEMU runs as, out of `virsh capabilities`; None if as ours."""
    found = _DAC.search(capabilities)
    return (int(found[1]), int(found[2])) if found else None


def furnish(machine: Machine, owner: tuple[int, int] | None) -> None:
    """Make the room, and let its owner reach it and what the machine boots.

    Args:
        machine: the machine that is to be started.
        owner: whom QEMU runs as; None is this user.

    Raises:
        DeniedError: the owner may not enter a folder that is not ours to open.
    """
    directory = machine.directory
    room = directory / ROOM
    room.mkdir(mode=0o700, exist_ok=True)
    if machine.has_metadata and not on_config_drive(machine):
        data = (directory / METADATA_NAME).read_bytes()
        write_atomically(metadata_path(directory), data, mode=0o600)
    else:
        metadata_path(directory).unlink(missing_ok=True)
    # Where everybody else looks for it.
    link = directory / AGENT_SOCKET
    link.unlink(missing_ok=True)
    link.symlink_to(Path(ROOM) / AGENT_SOCKET)
    if owner is not None and owner[0] != os.geteuid():
        _admit(machine, owner)


def _admit(machine: Machine, owner: tuple[int, int]) -> None:
    room = machine.directory / ROOM
    for path in (room, *room.iterdir()):
        os.chown(path, *owner, follow_symlinks=False)
    # Names in it are no secret, and each file says for itself who may read it.
    machine.directory.chmod(_OTHERS_PASS)
    for folder in _folders(machine):
        status = folder.stat()
        if not status.st_mode & _MAY_PASS and status.st_uid != owner[0]:
            raise DeniedError(
                f"machine {machine.name!r}: libvirt runs QEMU as {_name(owner[0])}, who may not"
                f" enter {folder}",
                hint=f"let others pass through it: chmod o+x {folder}; or keep machines and builds"
                " elsewhere (INGOT_STATE_DIR, --dir)",
            )


def _folders(machine: Machine) -> Iterable[Path]:
    """Return all folders above what QEMU opens, those nearest to the root first."""
    boot = machine.boot
    files = [boot.path] if isinstance(boot, ImageBoot) else [boot.kernel, boot.initrd]
    files += [machine.directory / ROOM, *(Path(disk.path) for disk in machine.disks)]
    return sorted({folder for file in files for folder in file.resolve().parents})


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
