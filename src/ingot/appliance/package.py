"""Components as container images: built for one or more architectures, kept in the image store.

The same component and lock give the same image, digest included, whoever builds it and when.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from ingot.appliance.archive import write_tar
from ingot.appliance.images import shipped_components
from ingot.appliance.packagetags import component_tag, package_reference
from ingot.debian.component import build_component
from ingot.debian.recipe import FILE_NAME, read_recipe
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
from ingot.oci.sources import REGISTRY_LOCAL
from ingot.oci.store import ImageStore
from ingot.oci.transfer import describe
from ingot.oci.tree import Tree

# Measured on the store component: level 9 takes twice as long (7.5 s) and saves 1 %.
_LEVEL = 6
_PLACES = ("components/*/", "*/", "")


class Packaged(NamedTuple):
    """An image made of a component.

    Attributes:
        name: its full name.
        tagged: its name with the tag of the component's contents; `name` itself if a tag was given.
    """

    name: str
    digest: str
    tagged: str


class ListedComponent(msgspec.Struct, frozen=True):
    """A component, and whether the image store has its present state.

    Attributes:
        tagged: the name that `@pkg:` stands for.
        platforms: those that the store has of it.
        shipped: it comes with the product.
    """

    name: str
    path: str
    description: str
    tagged: str
    platforms: tuple[str, ...]
    shipped: bool


def package_component(
    folder: Path, arches: Sequence[str], name: str | None, session: Session
) -> Packaged:
    """Build the component in `folder` and keep it as an image.

    Without a tag it gets two: `latest`, and one that is made of the component's contents.

    Args:
        folder: holds component.yml; `ingot.lock` in it pins packages.
        arches: Debian's names of architectures; several make an index.
        name: what to call the image; None takes `localhost/NAME`, NAME being the component's.
        session: sources, lock and caches.

    Raises:
        UsageError: component.yml is wrong, or the name is none.
        Error: what building a component raises.
    """
    wanted = parse_reference(name or f"{REGISTRY_LOCAL}/{read_recipe(folder).name}")
    full = str(wanted)
    store = ImageStore(session.cache_dir)
    roots: list[Descriptor] = []
    for arch in dict.fromkeys(arches):
        image = build_component(folder, arch=arch, session=session)
        roots.append(_store_image(image, platform_for(arch), store))
    session.save_lock()
    root = roots[0] if len(roots) == 1 else _keep(Index(roots), INDEX_TYPE, store)
    store.set_name(full, root)
    tagged = full
    if name is None or ":" not in name.rpartition("/")[2]:
        # The lock is part of the contents, and is complete only now.
        tagged = str(replace(wanted, tag=component_tag(folder)))
        store.set_name(tagged, root)
    return Packaged(full, root.digest, tagged)


def list_components(folder: Path, cache_dir: Path) -> list[ListedComponent]:
    """Return the components of a folder (`components/NAME`, `NAME`, itself), then the product's.

    Raises:
        DocumentError: one of them has mistakes.
    """
    own = sorted({p.parent for glob in _PLACES for p in folder.glob(f"{glob}{FILE_NAME}")})
    shipped = sorted(place.parent for place in shipped_components().glob(f"*/{FILE_NAME}"))
    kept = {image.name: image.platforms for image in describe(ImageStore(cache_dir))}
    found: list[ListedComponent] = []
    for place in (*own, *shipped):
        recipe = read_recipe(place)
        tagged = package_reference(place)
        found.append(
            ListedComponent(
                name=recipe.name,
                path=str(place),
                description=recipe.description,
                tagged=tagged,
                platforms=kept.get(tagged, ()),
                shipped=place in shipped,
            )
        )
    return found


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
