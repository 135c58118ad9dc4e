"""Images on disk in the forms tools write: OCI layouts, `docker save`, and skopeo's `dir:`.

Each is a `Layout`: descriptors of images and the blobs they name. Formats: OCI image-spec,
image-layout.md; moby "image specification v1.2" (manifest.json); containers-transports(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from ingot.base.errors import NotFoundError, UsageError
from ingot.oci.digest import check_digest, digest_of, hex_of, verified
from ingot.oci.files import Files, open_files
from ingot.oci.manifest import (
    CONFIG_TYPE,
    DOCUMENT_BYTES_MAX,
    INDEX_DEPTH_MAX,
    LAYER_TYPE,
    MANIFEST_TYPE,
    REF_NAME,
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    ManifestError,
    Platform,
    decode,
    decode_manifest,
    select,
)
from ingot.oci.tree import Content

IMAGES_MAX = 10_000
# containerd writes the full name here, and only the tag into `REF_NAME`.
_CONTAINERD_NAME = "io.containerd.image.name"


class Layout(Protocol):
    """A place that holds images."""

    def images(self) -> list[Descriptor]:
        """Return the roots, named by their annotations."""
        ...

    def blob(self, descriptor: Descriptor) -> Content:
        """Return a blob, not verified yet; raises NotFoundError where it is missing."""
        ...


class OciLayout:
    """An OCI image layout in a folder or an uncompressed tar file.

    Raises:
        UsageError: there is no layout.
    """

    def __init__(self, files: Files, what: str) -> None:
        self._files = files
        self._what = what
        index = files.get("index.json")
        if index is None or files.get("oci-layout") is None:
            raise UsageError(
                f"{what} is no OCI image layout",
                hint="it needs the files oci-layout and index.json",
            )
        self._index = decode(_document(index, f"{what}/index.json"), Index, f"{what}/index.json")

    def images(self) -> list[Descriptor]:
        """Return what index.json lists."""
        return self._index.manifests

    def blob(self, descriptor: Descriptor) -> Content:
        """Return a blob; see `Layout`."""
        algorithm = check_digest(descriptor.digest).partition(":")[0]
        found = self._files.get(f"blobs/{algorithm}/{hex_of(descriptor.digest)}")
        return _present(found, descriptor, self._what)


class DirectoryLayout:
    """One image in a folder as skopeo's `dir:` writes it: manifest.json and blobs by hex digest."""

    def __init__(self, files: Files, what: str) -> None:
        self._files = files
        self._what = what
        self._manifest = _document(_needed(files, "manifest.json", what), f"{what}/manifest.json")

    def images(self) -> list[Descriptor]:
        """Return the one image."""
        return [_descriptor(self._manifest, MANIFEST_TYPE)]

    def blob(self, descriptor: Descriptor) -> Content:
        """Return a blob; see `Layout`."""
        if descriptor.digest == digest_of(self._manifest):
            return Content.of(self._manifest)
        found = self._files.get(hex_of(check_digest(descriptor.digest)))
        return _present(found, descriptor, self._what)


class _Saved(msgspec.Struct, rename="pascal"):
    """One image of manifest.json."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


class DockerArchive:
    """What `docker save` writes, of any age; manifests are made for its images.

    Raises:
        UsageError: there is no manifest.json.
    """

    def __init__(self, files: Files, what: str) -> None:
        self._files = files
        self._what = what
        self._blobs: dict[str, Content] = {}
        name = f"{what}/manifest.json"
        saved = decode(_document(_needed(files, "manifest.json", what), name), list[_Saved], name)
        self._images = [root for image in saved for root in self._roots(image)]

    def images(self) -> list[Descriptor]:
        """Return the saved images, one for each of their names."""
        return self._images

    def blob(self, descriptor: Descriptor) -> Content:
        """Return a blob; see `Layout`."""
        return _present(self._blobs.get(descriptor.digest), descriptor, self._what)

    def _roots(self, saved: _Saved) -> Iterator[Descriptor]:
        config = _document(_needed(self._files, saved.config, self._what), saved.config)
        diff_ids = decode(config, ConfigDocument, saved.config).rootfs.diff_ids
        if len(diff_ids) != len(saved.layers):
            raise ManifestError(f"{self._what}: {saved.config} names other layers than the archive")
        layers = [self._layer(*pair) for pair in zip(saved.layers, diff_ids, strict=True)]
        manifest = Manifest(self._keep(config, CONFIG_TYPE), layers)
        root = self._keep(msgspec.json.encode(manifest), MANIFEST_TYPE)
        for tag in saved.repo_tags or [""]:
            yield msgspec.structs.replace(root, annotations={REF_NAME: tag} if tag else None)

    def _layer(self, name: str, diff_id: str) -> Descriptor:
        blob = _needed(self._files, name, self._what)
        # A layer may be compressed: then only its bytes tell its digest. When it is not, and the
        # archive is honest, the diff id is it; unpacking finds out.
        head = blob.slice(0, 2)
        digest = f"sha256:{blob.sha256()}" if head in {b"\x1f\x8b", b"\x28\xb5"} else diff_id
        self._blobs[check_digest(digest)] = blob
        return Descriptor(digest, blob.size_bytes, LAYER_TYPE)

    def _keep(self, data: bytes, media_type: str) -> Descriptor:
        made = _descriptor(data, media_type)
        self._blobs[made.digest] = Content.of(data)
        return made


def open_layout(path: Path) -> Layout:
    """Return the images at a path, whichever form they have.

    Raises:
        NotFoundError: there is nothing at `path`.
        UsageError: it holds no images.
    """
    files = open_files(path)
    if files.get("oci-layout") is not None:
        return OciLayout(files, str(path))
    if path.is_dir():
        return DirectoryLayout(files, str(path))
    return DockerArchive(files, str(path))


def document(layout: Layout, descriptor: Descriptor, what: str) -> bytes:
    """Return a JSON document's bytes, its digest verified.

    Raises:
        DigestError: it does not have its digest.
        ManifestError: it is too large.
        NotFoundError: it is missing.
    """
    data = _document(layout.blob(descriptor), what)
    return b"".join(verified([data], descriptor.digest, what))


def documents(
    layout: Layout, root: Descriptor, what: str, depth: int = INDEX_DEPTH_MAX
) -> Iterator[tuple[Descriptor, Manifest | Index]]:
    """Yield a root and every manifest and index below it; raises as `document` does.

    Those below that the layout does not have are left out: a store may hold one platform.
    """
    found = decode_manifest(document(layout, root, what), what)
    yield root, found
    if isinstance(found, Manifest):
        return
    if depth == 0:
        raise ManifestError(f"{what} nests indexes too deeply")
    for child in found.manifests:
        if is_present(layout, child):
            yield from documents(layout, child, what, depth - 1)


def is_present(layout: Layout, part: Descriptor) -> bool:
    """Say whether a layout has a blob."""
    try:
        layout.blob(part)
    except NotFoundError:
        return False
    return True


def find_image(layout: Layout, name: str, what: str) -> Descriptor:
    """Return the root called `name`; an empty name means the only image there is.

    Raises:
        NotFoundError: there is none, or more than one.
    """
    images = layout.images()
    named = [image for image in images if name in names_of(image)] if name else images
    if len({image.digest for image in named}) == 1:
        return named[0]
    known = sorted({known for image in images for known in names_of(image)})
    raise NotFoundError(
        f"{what} has no image {name!r}" if name else f"{what} has {len(images)} images",
        hint=f"name one of {', '.join(known)}" if known else None,
    )


def names_of(image: Descriptor) -> list[str]:
    """Return the names a root's annotations give it, the fullest first."""
    annotations = image.annotations or {}
    return [annotations[key] for key in (_CONTAINERD_NAME, REF_NAME) if key in annotations]


def _descriptor(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(digest_of(data), len(data), media_type)


def _needed(files: Files, name: str, what: str) -> Content:
    found = files.get(name)
    if found is None:
        raise UsageError(f"{what} has no {name}", hint="is it an image at all?")
    return found


def _present(found: Content | None, descriptor: Descriptor, what: str) -> Content:
    if found is None:
        raise NotFoundError(f"{what} lacks the blob {descriptor.digest}")
    return found


def _document(content: Content, what: str) -> bytes:
    if content.size_bytes > DOCUMENT_BYTES_MAX:
        raise ManifestError(f"{what} is larger than {DOCUMENT_BYTES_MAX} bytes")
    return content.read()


def chosen_manifest(
    layout: Layout, root: Descriptor, platform: Platform, what: str
) -> tuple[bytes, Manifest]:
    """Return the manifest of a root's image for a platform: its bytes, and read.

    Raises:
        NotFoundError: the index has no image for the platform, or a document is missing.
        IntegrityError: a document is malformed.
    """
    data = document(layout, root, what)
    found = decode_manifest(data, what)
    for _ in range(INDEX_DEPTH_MAX):
        if isinstance(found, Manifest):
            return data, found
        data = document(layout, select(found.manifests, platform, what), what)
        found = decode_manifest(data, what)
    raise ManifestError(f"{what} nests indexes too deeply")
