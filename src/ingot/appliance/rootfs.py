"""What becomes of an image's files in a root file system: LinuxKit's rules for every image."""

from __future__ import annotations

from collections.abc import Sequence

from ingot.oci.image import Image
from ingot.oci.tree import Tree, directory, file, symlink

RESOLVER_FILE = "/run/resolvconf/resolv.conf"

_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_LEFT_OVERS = (".dockerenv", "Dockerfile", "dev/console", "dev/pts", "dev/shm", "etc/hostname")
_PLACES = ("dev", "dev/pts", "dev/shm", "etc", "proc", "sys")
_PACKAGE_LIST = "lib/apk/db/installed"


def image_root(image: Image) -> Tree:
    """Return the files of an image without what builders of images leave behind.

    The places of mounts are there, and names are resolved as the machine wants it.
    """
    tree = Tree()
    tree.merge(image.tree)
    for path in _LEFT_OVERS:
        tree.remove(path)
    for path in _PLACES:
        if tree.resolve(path) is None:
            tree.add(directory(path))
    for path in ("etc/hosts", "etc/resolv.conf"):
        tree.remove(path)
    tree.add(file("etc/hosts", _HOSTS))
    tree.add(file("etc/resolv.conf", ""))
    if tree.get("etc/mtab") is None:
        tree.add(symlink("etc/mtab", "/proc/mounts"))
    return tree


def add_init(root: Tree, images: Sequence[Image]) -> None:
    """Lay the init images over each other into the root; each adds to Alpine's package list."""
    installed: list[bytes] = []
    for image in images:
        tree = image_root(image)
        tree.remove("etc/resolv.conf")
        tree.add(symlink("etc/resolv.conf", RESOLVER_FILE))
        entry = tree.get(_PACKAGE_LIST)
        if entry is not None and entry.content is not None:
            installed.append(entry.content.read())
        root.merge(tree)
    if len(installed) > 1:
        root.add(file(_PACKAGE_LIST, b"".join(installed)))
