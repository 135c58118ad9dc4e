"""Where an appliance's images come from: registries, OCI layouts, `docker save`, folders.

`NAME[:TAG][@DIGEST]`, `oci:PATH[:NAME]`, `docker-archive:PATH[:NAME]`, `dir:PATH`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingot.base.errors import ConflictError, NetworkError, NotFoundError, UsageError
from ingot.base.progress import SILENT, Progress
from ingot.oci.endpoints import RegistryOptions
from ingot.oci.folder import folder_tree
from ingot.oci.image import Image, ImageConfig
from ingot.oci.kept import layout_tree
from ingot.oci.layers import layer_entries, stack
from ingot.oci.layout import Layout, chosen_manifest, document, find_image, open_layout
from ingot.oci.manifest import (
    ConfigDocument,
    Descriptor,
    ManifestError,
    Platform,
    decode,
    image_config,
)
from ingot.oci.packages import installed_packages, labelled_packages
from ingot.oci.pull import pull
from ingot.oci.reference import Reference, parse_reference
from ingot.oci.registry import RegistryClient
from ingot.oci.store import ImageStore
from ingot.oci.tree import Entry, Tree

# Podman names what was built here in the same way: no registry can have it.
REGISTRY_LOCAL = "localhost"
LOCAL_SOURCES = ("oci", "docker-archive", "dir")
_LAYERS_AT_ONCE = 4


@dataclass(slots=True)
class ImageSources:
    """Gets images; what comes from registries stays in the image store.

    Attributes:
        folder: relative paths of references begin here.
        offline: never open a connection.
    """

    cache_dir: Path
    folder: Path = field(default_factory=Path)
    options: RegistryOptions = field(default_factory=RegistryOptions)
    offline: bool = False
    progress: Progress = SILENT

    def get(self, text: str, platform: Platform, pin: str | None = None) -> Image:
        """Return an image for a platform.

        Args:
            text: the reference; one without digest is taken from the store where it is there.
            platform: chooses from an index.
            pin: the digest that the image must have.

        Raises:
            ConflictError: a file has another image than the pin says.
            NotFoundError: there is no such image.
            NetworkError: the registry cannot be reached, or we are offline.
            IntegrityError: the image is damaged or hostile.
            UsageError: `text` is no reference.
        """
        kind, path, name = split_source(text)
        if kind == "registry":
            store, root = self._from_registry(parse_reference(text), platform, pin)
            return load_image(store, root, platform, text, self.cache_dir)
        if kind == "dir" and not (self.folder / path / "manifest.json").exists():
            tree = folder_tree(_existing(self.folder / path))
            digest = f"sha256:{tree.digest()}"
            _check_pin(text, digest, pin)
            return Image(text, ImageConfig(), tree, installed_packages(tree), digest)
        layout = open_layout(self.folder / path)
        root = find_image(layout, name, text)
        _check_pin(text, root.digest, pin)
        return load_image(layout, root, platform, text, self.cache_dir)

    def kept(
        self, text: str, platforms: Sequence[Platform], pin: str | None = None
    ) -> tuple[Tree, str]:
        """Return an image as an OCI layout for some platforms, and its digest; raises as `get`.

        Raises:
            UsageError: the reference is of a folder with no images in it.
        """
        kind, path, name = split_source(text)
        if kind == "registry":
            reference = parse_reference(text)
            roots = [self._from_registry(reference, platform, pin) for platform in platforms]
            store, root = roots[-1]
            return layout_tree(store, root, platforms, str(reference)), root.digest
        found = open_layout(self.folder / path)
        root = find_image(found, name, text)
        _check_pin(text, root.digest, pin)
        return layout_tree(found, root, platforms, name or text), root.digest

    def refresh(self, text: str, platform: Platform) -> None:
        """Fetch what a reference of a registry means now; others are read anew by every `get`.

        Raises as `get`.
        """
        if split_source(text)[0] == "registry":
            reference = parse_reference(text)
            if reference.digest is None:
                self._pull(reference, platform)

    def _from_registry(
        self, reference: Reference, platform: Platform, pin: str | None
    ) -> tuple[ImageStore, Descriptor]:
        store = ImageStore(self.cache_dir)
        if pin is not None:
            _check_pin(str(reference), reference.digest or pin, pin)
            reference = replace(reference, digest=pin)
        root = _stored(store, reference)
        if root is None or not _is_here(store, root, platform, str(reference)):
            root = self._pull(reference, platform)
        return store, root

    def _pull(self, reference: Reference, platform: Platform) -> Descriptor:
        if self.offline:
            raise NetworkError(
                f"{reference} is needed, and --offline forbids to fetch it",
                hint=f"fetch it before: ingot cache pull {reference}",
            )
        if reference.registry == REGISTRY_LOCAL:
            raise NotFoundError(
                f"{reference} is not in the cache, and no registry can have it",
                hint="build it: ingot pkg build FOLDER",
            )
        store = ImageStore(self.cache_dir)
        with RegistryClient(self.options) as client:
            return pull(reference, platform, client=client, store=store, progress=self.progress)


def split_source(text: str) -> tuple[str, str, str]:
    """Return a reference's kind (`registry` or one of `LOCAL_SOURCES`), path and image name.

    Raises:
        UsageError: it is no reference.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in LOCAL_SOURCES:
        parse_reference(text)
        return "registry", "", ""
    # A name may hold colons of its own; a path may not.
    path, _, name = rest.partition(":")
    if not path or (name and kind == "dir"):
        raise UsageError(f"{text!r} names no image", hint=f"write {kind}:PATH")
    return kind, path, name


def load_image(
    layout: Layout, root: Descriptor, platform: Platform, text: str, cache_dir: Path
) -> Image:
    """Return a root's image for a platform; raises as `ImageSources.get`."""
    _, manifest = chosen_manifest(layout, root, platform, text)
    config = decode(document(layout, manifest.config, text), ConfigDocument, text)
    made_for = Platform(config.architecture, config.os, config.variant)
    if made_for.architecture and not platform.matches(made_for):
        raise NotFoundError(f"{text} has no image for {platform}", hint=f"it is for {made_for}")
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(manifest.layers):
        raise ManifestError(f"{text}: manifest and configuration name different layers")

    def entries(pair: tuple[Descriptor, str]) -> list[Entry]:
        layer, diff_id = pair
        return layer_entries(layout.blob(layer), layer.digest, diff_id, cache_dir)

    with ThreadPoolExecutor(_LAYERS_AT_ONCE) as pool:
        layers = list(pool.map(entries, zip(manifest.layers, diff_ids, strict=True)))
    tree = stack(layers)
    run = image_config(config)
    packages = labelled_packages(run.labels, text) or installed_packages(tree)
    return Image(text, run, tree, packages, root.digest)


def _stored(store: ImageStore, reference: Reference) -> Descriptor | None:
    """Return the root the store has for a reference: by digest, else by name."""
    if reference.digest is None:
        return store.find(str(reference))
    if not store.has(reference.digest):
        return None
    return Descriptor(reference.digest, 0)


def _is_here(store: ImageStore, root: Descriptor, platform: Platform, text: str) -> bool:
    try:
        _, manifest = chosen_manifest(store, root, platform, text)
    except NotFoundError:
        return False
    return all(store.has(part.digest) for part in (manifest.config, *manifest.layers))


def _check_pin(text: str, digest: str, pin: str | None) -> None:
    if pin not in {None, digest}:
        raise ConflictError(
            f"{text} is not the image that ingot.lock names: {digest} is not {pin}",
            hint="if the new one is meant, take it: ingot lock --update FILE.yml",
        )


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise NotFoundError(f"{folder} is no folder")
    return folder
