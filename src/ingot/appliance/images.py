"""The images that an appliance names: components built here, everything else from its source."""

from __future__ import annotations

from pathlib import Path

import ingot.system
from ingot.appliance.bundle import COMPONENT_PREFIX
from ingot.appliance.keys.volumes import Volume
from ingot.base.errors import NotFoundError, UsageError
from ingot.debian.component import build_component
from ingot.debian.session import Session
from ingot.oci.image import Image
from ingot.oci.manifest import Platform, platform_for
from ingot.oci.sources import ImageSources
from ingot.oci.tree import Tree


def get_image(reference: str, folder: Path, arch: str, session: Session) -> Image:
    """Return the image a reference of an appliance file means, and pin its digest in the lock.

    Components beside the appliance file (`components/NAME`, `NAME`) come before ours.

    Args:
        reference: `component:NAME`, or what `ImageSources.get` reads.
        folder: of the appliance file, where relative paths begin.
        arch: Debian's name of the architecture.
        session: its lock says which image it was the last time.

    Raises:
        Error: what components and sources raise; ConflictError if a file is not what was pinned.
    """
    if reference.startswith(COMPONENT_PREFIX):
        component = find_component(reference.removeprefix(COMPONENT_PREFIX), folder)
        return build_component(component, arch=arch, session=session)
    pin = session.lock.image(reference)
    image = sources(folder, session).get(reference, platform_for(arch), pin)
    session.lock.pin_image(reference, image.digest)
    return image


def get_layout(volume: Volume, folder: Path, arch: str, session: Session) -> tuple[Image, Tree]:
    """Return the image of a volume of the format `oci`, and the layout that the volume holds.

    Raises:
        UsageError: the image is a component, which is no image yet.
        Error: see `get_image`.
    """
    if volume.image.startswith(COMPONENT_PREFIX):
        raise UsageError(
            f"the volume {volume.name!r} cannot hold {volume.image} as an OCI layout",
            hint="make an image of the component first: ingot pkg build FOLDER",
        )
    platforms = [_platform(text) for text in volume.platforms] or [platform_for(arch)]
    places = sources(folder, session)
    pin = session.lock.image(volume.image)
    tree, digest = places.kept(volume.image, platforms, pin)
    session.lock.pin_image(volume.image, digest)
    return places.get(volume.image, platforms[0], digest), tree


def _platform(text: str) -> Platform:
    system, architecture, *variant = text.split("/")
    return Platform(architecture, system, *variant)


def sources(folder: Path, session: Session) -> ImageSources:
    """Return where a session gets the images that are no components."""
    return ImageSources(
        cache_dir=session.cache_dir,
        folder=folder,
        options=session.registries,
        offline=session.offline,
        progress=session.progress,
    )


def shipped_components() -> Path:
    """Return the folder of the components that come with the product."""
    return Path(next(iter(ingot.system.__path__)))


def find_component(name: str, folder: Path) -> Path:
    """Return the folder of a component.

    Raises:
        NotFoundError: there is none; the hint lists those that come with the product.
    """
    shipped = shipped_components()
    places = (folder / "components" / name, folder / name, shipped / name)
    for place in places:
        if (place / "component.yml").is_file():
            return place
    known = sorted(entry.parent.name for entry in shipped.glob("*/component.yml"))
    raise NotFoundError(
        f"there is no component {name!r} in {folder}/components, {folder} or the product",
        hint=f"components of the product: {', '.join(known)}",
    )
