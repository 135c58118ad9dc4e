"""Images into and out of the store by file: any layout in, an OCI layout as tar out."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from ingot.base.atomic import atomic_writer
from ingot.base.errors import NotFoundError, UsageError
from ingot.oci.digest import hex_of, verified
from ingot.oci.layout import (
    Layout,
    document,
    documents,
    find_image,
    is_present,
    names_of,
    open_layout,
)
from ingot.oci.manifest import (
    REF_NAME,
    ConfigDocument,
    Descriptor,
    Index,
    Platform,
    decode,
)
from ingot.oci.reference import parse_reference
from ingot.oci.store import ImageStore
from ingot.oci.tree import Content


class StoredImage(msgspec.Struct, frozen=True):
    """A named image of the store.

    Attributes:
        platforms: those whose blobs are here.
        size_bytes: of all its blobs, compressed, each counted once.
    """

    name: str
    digest: str
    platforms: tuple[str, ...]
    size_bytes: int


def describe(store: ImageStore) -> list[StoredImage]:
    """Return what the store has, by name."""
    return [_describe(store, root) for root in store.images()]


def import_images(path: Path, name: str | None, store: ImageStore) -> list[str]:
    """Take the images of a layout or archive into the store; return their full names.

    Args:
        path: an OCI layout (folder or tar), `docker save`, or a folder of skopeo's.
        name: for the one image there is; None takes the names that the file gives.
        store: where they go.

    Raises:
        UsageError: `path` holds no images, or they have no names and none is given.
        NotFoundError: a name is given for several images, or a blob is missing.
        IntegrityError: a blob does not have its digest.
    """
    layout = open_layout(path)
    if name is not None:
        named = [(str(parse_reference(name)), find_image(layout, "", str(path)))]
    else:
        named = [(_full_name(image, path), image) for image in layout.images()]
    for full, image in named:
        for part in _parts(layout, image, full):
            store.put(part.digest, layout.blob(part).chunks())
        store.set_name(full, image)
    return [full for full, _ in named]


def export_image(name: str, target: Path, store: ImageStore) -> None:
    """Write one image as an OCI layout in a tar file; equal images give equal files.

    Raises:
        NotFoundError: there is no such image.
        OSError: the file cannot be written.
    """
    root = store.find(name)
    if root is None:
        raise NotFoundError(f"there is no image {name} in the cache", hint="list: ingot cache ls")
    index = msgspec.json.encode(Index([root]))
    blobs = {part.digest: part for part in _parts(store, root, name)}
    members = [
        ("oci-layout", Content.of('{"imageLayoutVersion":"1.0.0"}')),
        ("index.json", Content.of(index)),
        *(_blob_member(store, blobs[digest]) for digest in sorted(blobs)),
    ]
    with atomic_writer(target) as file:
        _write_tar(members, file)


def _describe(store: ImageStore, root: Descriptor) -> StoredImage:
    name = (root.annotations or {}).get(REF_NAME, "")
    platforms: list[str] = []
    sizes: dict[str, int] = {}
    for image, found in documents(store, root, name):
        sizes[image.digest] = image.size_bytes
        if isinstance(found, Index):
            continue
        blobs = (found.config, *found.layers)
        sizes |= {blob.digest: blob.size_bytes for blob in blobs if store.has(blob.digest)}
        if all(store.has(blob.digest) for blob in blobs):
            config = decode(document(store, found.config, name), ConfigDocument, name)
            platforms.append(str(Platform(config.architecture, config.os, config.variant)))
    return StoredImage(name, root.digest, tuple(platforms), sum(sizes.values()))


def _parts(layout: Layout, root: Descriptor, what: str) -> list[Descriptor]:
    """Return every blob of a root that the layout has; a root without index must be whole."""
    parts: list[Descriptor] = []
    for image, found in documents(layout, root, what):
        parts.append(image)
        if isinstance(found, Index):
            continue
        blobs = (found.config, *found.layers)
        present = [blob for blob in blobs if is_present(layout, blob)]
        if image is root and len(present) < len(blobs):
            raise NotFoundError(f"{what} lacks blobs of {image.digest}")
        parts += present
    return parts


def _full_name(image: Descriptor, path: Path) -> str:
    for name in names_of(image):
        # A name without either is only a tag, as skopeo writes it.
        if "/" in name or ":" in name:
            return str(parse_reference(name))
    raise UsageError(f"{path} does not name its image", hint="give it one: --name NAME:TAG")


def _blob_member(store: ImageStore, part: Descriptor) -> tuple[str, Content]:
    algorithm = part.digest.partition(":")[0]
    return f"blobs/{algorithm}/{hex_of(part.digest)}", store.blob(part)


def _write_tar(members: Iterable[tuple[str, Content]], file: BinaryIO) -> None:
    for name, content in members:
        info = tarfile.TarInfo(name)
        info.size, info.mode = content.size_bytes, 0o644
        file.write(info.tobuf(tarfile.PAX_FORMAT))
        pieces = content.chunks()
        if name.startswith("blobs/"):
            pieces = verified(pieces, name.removeprefix("blobs/").replace("/", ":"), name)
        file.writelines(pieces)
        file.write(bytes(-content.size_bytes % tarfile.BLOCKSIZE))
    file.write(bytes(2 * tarfile.BLOCKSIZE))
