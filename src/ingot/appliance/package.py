"""Components as container images: built for one or more architectures, kept in the image store.

The same component and lock give the same image, digest included, whoever builds it and when.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from ingot.appliance.archive import write_tar
from ingot.appliance.packagetags import REGISTRY_LOCAL
from ingot.debian.component import build_component
from ingot.debian.recipe import read_recipe
from ingot.debian.session import Session
from ingot.oci.digest import HashedFile, digest_of
from ingot.oci.image import Image
from ingot.oci.manifest import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    ConfigDocument,
    Descriptor,
    Index,
    Manifest,
    Platform,
    RootFs,
    RunConfig,
    platform_for,
)
from ingot.oci.packages import PACKAGES_LABEL, packages_label
from ingot.oci.reference import parse_reference
from ingot.oci.store import ImageStore
from ingot.oci.tree import Tree

# Measured on the store component: level 9 takes twice as long (7.5 s) and saves 1 %.
_LEVEL = 6


def package_component(
    folder: Path, arches: Sequence[str], name: str | None, session: Session
) -> tuple[str, str]:
    """Build the component in `folder` and keep it as an image; return its full name and digest.

    Args:
        folder: holds component.yml; `ingot.lock` in it pins packages.
        arches: Debian's names of architectures; several make an index.
        name: what to call the image; None takes `localhost/NAME`, NAME being the component's.
        session: sources, lock and caches.

    Raises:
        UsageError: component.yml is wrong, or the name is none.
        Error: what building a component raises.
    """
    full = str(parse_reference(name or f"{REGISTRY_LOCAL}/{read_recipe(folder).name}"))
    store = ImageStore(session.cache_dir)
    roots: list[Descriptor] = []
    for arch in dict.fromkeys(arches):
        image = build_component(folder, arch=arch, session=session)
        roots.append(_store_image(image, platform_for(arch), store))
    session.save_lock()
    root = roots[0] if len(roots) == 1 else _keep(Index(roots), INDEX_TYPE, store)
    store.set_name(full, root)
    return full, root.digest


def _store_image(image: Image, platform: Platform, store: ImageStore) -> Descriptor:
    layer, diff_id = _store_layer(image.tree, store)
    config = image.config
    labels = {**config.labels, PACKAGES_LABEL: packages_label(image.packages)}
    document = ConfigDocument(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        config=RunConfig(
            user=config.user,
            env=list(config.env),
            entrypoint=list(config.entrypoint),
            cmd=list(config.cmd),
            working_dir=config.working_dir,
            labels=dict(sorted(labels.items())),
        ),
        rootfs=RootFs([diff_id]),
    )
    manifest = Manifest(_keep(document, CONFIG_TYPE, store), [layer])
    kept = _keep(manifest, MANIFEST_TYPE, store)
    return msgspec.structs.replace(kept, platform=platform)


def _store_layer(tree: Tree, store: ImageStore) -> tuple[Descriptor, str]:
    """Keep a tree as one layer; return what points to it, and the digest of the tar inside."""
    diff_ids: list[str] = []

    def write(file: BinaryIO) -> None:
        # No name and no date go into the gzip header.
        with gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
            tar = HashedFile(cast("BinaryIO", packed), "sha256")
            write_tar(tree, cast("BinaryIO", tar))
            diff_ids.append(tar.digest)

    digest, size_bytes = store.add(write)
    return Descriptor(digest, size_bytes, f"{LAYER_TYPE}+gzip"), diff_ids[0]


def _keep(document: object, media_type: str, store: ImageStore) -> Descriptor:
    data = msgspec.json.encode(document)
    store.put(digest_of(data), [data])
    return Descriptor(digest_of(data), len(data), media_type)
