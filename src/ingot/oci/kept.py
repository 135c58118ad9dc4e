"""Images kept as images: an OCI layout, as a tree, of one image for some of its platforms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ingot.base.errors import NotFoundError
from ingot.oci.digest import digest_of, hex_of
from ingot.oci.layout import Layout, chosen_manifest, document
from ingot.oci.manifest import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    REF_NAME,
    ConfigDocument,
    Descriptor,
    Index,
    Platform,
    decode,
)
from ingot.oci.tree import Content, Entry, Tree, file

_CONTAINERD_NAME = "io.containerd.image.name"


def layout_tree(layout: Layout, root: Descriptor, platforms: Sequence[Platform], name: str) -> Tree:
    """Return the files of an OCI layout that holds an image under a name.

    Of one platform the layout's root is the manifest, of several a new index of them; blobs are
    those that these need. Equal images and platforms give equal trees.

    Raises:
        NotFoundError: there is no image for one of the platforms, or a blob is missing.
        IntegrityError: a document is malformed.
    """
    tree = Tree()
    chosen = [_add_image(tree, layout, root, platform, name) for platform in platforms]
    kept = chosen[0]
    if len(chosen) > 1:
        data = msgspec.json.encode(Index(chosen))
        kept = Descriptor(digest_of(data), len(data), INDEX_TYPE)
        _add_blob(tree, kept.digest, Content.of(data))
    named = {REF_NAME: name, _CONTAINERD_NAME: name}
    root_index = Index([msgspec.structs.replace(kept, annotations=named)])
    tree.add(file("index.json", msgspec.json.encode(root_index)))
    tree.add(file("oci-layout", '{"imageLayoutVersion":"1.0.0"}'))
    return tree


def _add_image(
    tree: Tree, layout: Layout, root: Descriptor, platform: Platform, name: str
) -> Descriptor:
    """Add the blobs of one platform's image; return what points to its manifest."""
    data, found = chosen_manifest(layout, root, platform, name)
    config = document(layout, found.config, name)
    made_for = decode(config, ConfigDocument, name)
    own = Platform(made_for.architecture, made_for.os, made_for.variant)
    if own.architecture and not platform.matches(own):
        raise NotFoundError(f"{name} has no image for {platform}", hint=f"it is for {own}")
    for blob in (found.config, *found.layers):
        _add_blob(tree, blob.digest, layout.blob(blob))
    digest = digest_of(data)
    _add_blob(tree, digest, Content.of(data))
    return Descriptor(digest, len(data), found.media_type or MANIFEST_TYPE, own)


def _add_blob(tree: Tree, digest: str, content: Content) -> None:
    algorithm = digest.partition(":")[0]
    path = f"blobs/{algorithm}/{hex_of(digest)}"
    tree.add(Entry(path, "file", 0o644, content=content))
