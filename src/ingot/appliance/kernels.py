"""The files of a kernel's image: LinuxKit's three names at its root, or Debian's layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from ingot.appliance.modules import EARLY_MODULES_LABEL, MODULES_LABEL, ROOT_MODULES_LABEL
from ingot.appliance.spec import Kernel
from ingot.base.errors import NotFoundError, UsageError
from ingot.base.units import GIB
from ingot.oci.image import Image
from ingot.oci.layers import LAYERS_FOLDER, clean_path
from ingot.oci.packed import Row, cached_entries
from ingot.oci.tarball import ContentStream, read_tar
from ingot.oci.tree import Content, Entry, Tree

ARCHIVE_BYTES_MAX = 8 * GIB
# What our own kernel component says of itself.
_USUAL_MODULES = {
    EARLY_MODULES_LABEL: "loop squashfs",
    ROOT_MODULES_LABEL: "virtio_pci virtio_blk virtio_scsi sd_mod dm_verity squashfs",
    MODULES_LABEL: "button evdev virtio_pci virtio_blk virtio_net virtio_console overlay",
}

Unpack = Callable[[Content], Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """What a kernel's image brings.

    Attributes:
        image: with a tree in which the modules are found.
        root: all of it belongs into the root file system; modules of `image` do as needed.
        ucode: microcode that the processor gets before anything else runs.
    """

    binary: Content
    image: Image
    root: Tree
    ucode: Content | None


def kernel_files(image: Image, kernel: Kernel, unpack: Unpack) -> KernelFiles:
    """Find the files that the appliance file names in a kernel's image.

    Raises:
        NotFoundError: one of them is not there.
        UsageError: there are several kernels.
    """
    ucode = _file(image, kernel.ucode, "ucode") if kernel.ucode else None
    named = image.tree.resolve(kernel.binary)
    if named is None or named.content is None:
        return KernelFiles(_debian_binary(image, kernel.binary), image, Tree(), ucode)
    root = Tree()
    if kernel.tar:
        for entry in unpack(_file(image, kernel.tar, "tar")):
            root.add(entry)
    return KernelFiles(named.content, _labelled(replace(image, tree=root)), root, ucode)


def _labelled(image: Image) -> Image:
    """Return a foreign kernel's image with labels for what our boot needs and has as modules.

    What is not among them is built in, as it is in LinuxKit's kernels.
    """
    there = {
        entry.path.rpartition("/")[2].removesuffix(".ko").replace("-", "_")
        for entry in image.tree
        if entry.path.endswith(".ko")
    }
    labels = {
        label: " ".join(name for name in names.split() if name in there)
        for label, names in _USUAL_MODULES.items()
    }
    config = replace(image.config, labels={**labels, **image.config.labels})
    return replace(image, config=config)


def unpack_archive(content: Content, cache_dir: Path) -> list[Entry]:
    """Return the entries of an uncompressed tar archive; the cache keeps their bodies.

    Raises:
        TarballError: it is damaged or holds paths it must not.
    """

    def fill(bodies: BinaryIO) -> list[Row]:
        return read_tar(
            ContentStream(content),
            bodies,
            name="the kernel's archive",
            clean=clean_path,
            size_bytes_max=ARCHIVE_BYTES_MAX,
        )

    return cached_entries(cache_dir / LAYERS_FOLDER, content.sha256(), fill)


def _file(image: Image, name: str, key: str) -> Content:
    entry = image.tree.resolve(name)
    if entry is None or entry.content is None:
        hint = "`kernel.tar: none` if it has no modules" if key == "tar" else None
        raise NotFoundError(
            f"{image.reference} has no file {name}, which `kernel.{key}` names", hint=hint
        )
    return entry.content


def _debian_binary(image: Image, name: str) -> Content:
    candidates = [entry for entry in image.tree if entry.path.startswith("boot/vmlinuz-")]
    if len(candidates) > 1:
        raise UsageError(f"{image.reference} has {len(candidates)} kernels; one is needed")
    if not candidates or candidates[0].content is None:
        raise NotFoundError(
            f"{image.reference} has no kernel named {name}",
            hint="`kernel.binary` names the file in the image",
        )
    return candidates[0].content
