"""Folders of the host that a guest sees: the `--share` option, and the daemons that serve them.

Each is served over virtiofs by a virtiofsd of its own (virtiofsd(1)), which ends with the machine:
it locks itself into the folder, and a read-only folder is read-only to it already.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingot.base.errors import MissingToolError, NotFoundError, UsageError
from ingot.vm.machine import Share

SHARES_MAX = 8
PROGRAM = Path("/usr/lib/qemu/virtiofsd")

_HINT = "write it like src:code, /srv/data:data or /srv/data:data:ro"
# A tag of virtiofs holds 36 bytes; ours also names a folder in the guest.
_NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,29}[a-z0-9])?", re.IGNORECASE)
# Devices and file capabilities are for the host to make.
_CAPABILITIES = "modcaps=-mknod:-setfcap"
_LOCK = 'mount -o "$0" "$1" "$1" && shift && exec "$@"'
_END_TIMEOUT_S = 10.0


def parse_shares(texts: Iterable[str]) -> tuple[Share, ...]:
    """Read every `--share DIR:NAME[:ro]` of a command line.

    Raises:
        UsageError: one is malformed, or two have one name.
    """
    shares = tuple(_parse(text) for text in texts)
    if len(shares) > SHARES_MAX:
        raise UsageError(f"a machine has at most {SHARES_MAX} shares")
    for index, share in enumerate(shares):
        if share.name in {other.name for other in shares[:index]}:
            raise UsageError(f"--share: the name {share.name} is given twice")
    return shares


def check_shares(shares: Iterable[Share]) -> None:
    """Make sure that the folders are there, and what serves them.

    Raises:
        NotFoundError, MissingToolError: one is not.
    """
    for share in shares:
        if not Path(share.path).is_dir():
            raise NotFoundError(f"--share: there is no folder {share.path}")
        if not PROGRAM.is_file():
            raise MissingToolError(
                f"shares need {PROGRAM}, which is not installed",
                hint="install the Debian package qemu-system-common",
            )


def socket_name(index: int) -> str:
    """Return the name of a share's socket in the machine's folder."""
    return f"share-{index}.sock"


def announcement(shares: Iterable[Share]) -> str:
    """Return what the guest is told: `NAME` or `NAME:ro` of each, in words."""
    return " ".join(f"{share.name}:ro" if share.read_only else share.name for share in shares)


@contextlib.contextmanager
def served(shares: tuple[Share, ...], directory: Path, log: int) -> Iterator[None]:
    """Serve the shares to the hypervisor that is started within; they end with it.

    Args:
        shares: what to serve.
        directory: the machine's folder, for the sockets.
        log: a descriptor for what the daemons say.
    """
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for index, share in enumerate(shares):
            with _listening(directory, socket_name(index)) as listener:
                command = daemon_command(share, listener.fileno())
                daemons.append(
                    subprocess.Popen(
                        command,
                        pass_fds=[listener.fileno()],
                        cwd="/",
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
        yield
    except BaseException:
        for daemon in daemons:
            daemon.terminate()
            daemon.wait(_END_TIMEOUT_S)
        raise


def daemon_command(share: Share, descriptor: int) -> list[str]:
    """Return the command that serves a share on a listening socket."""
    command = [str(PROGRAM), f"--fd={descriptor}", "-o", f"source={share.path}"]
    command += ["-o", _CAPABILITIES]
    # Whoever is not root is root in a user namespace of their own, with their own rights only.
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    if not share.read_only:
        return ["unshare", *user, *command] if user else command
    lock = ["sh", "-c", _LOCK, _read_only_options(share.path), share.path]
    return ["unshare", *user, "--mount", *lock, *command]


def _read_only_options(path: str) -> str:
    # In a user namespace what a mount has locked must be asked for again (mount_namespaces(7)).
    flags = os.statvfs(path).f_flag
    return "bind,ro,nosuid,nodev" + (",noexec" if flags & os.ST_NOEXEC else "")


@contextlib.contextmanager
def _listening(directory: Path, name: str) -> Iterator[socket.socket]:
    (directory / name).unlink(missing_ok=True)
    # Through a descriptor, because a Unix socket's path may not be longer than 107 bytes.
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(f"/proc/self/fd/{folder}/{name}")
            listener.listen(1)
            yield listener
    finally:
        os.close(folder)


def _parse(text: str) -> Share:
    path, colon, name = text.removesuffix(":ro").rpartition(":")
    if not colon or not path or "," in path or not path.isprintable():
        raise UsageError(f"--share {text}: DIR:NAME is missing, or DIR has a comma", hint=_HINT)
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"--share {text}: {name!r} cannot name a share", hint=_HINT)
    return Share(path=str(Path(path).absolute()), name=name, read_only=text.endswith(":ro"))
