"""Checks what an appliance is made of, pins it, and moves its pins; other appliances' stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingot.appliance.additions import with_additions
from ingot.appliance.bundle import COMPONENT_PREFIX
from ingot.appliance.images import find_component, get_image, get_layout, sources
from ingot.appliance.inputs import Inputs
from ingot.appliance.modules import image_references
from ingot.appliance.plan import with_platform
from ingot.appliance.spec import Appliance, parse_appliance
from ingot.debian.recipe import read_recipe
from ingot.debian.session import Session
from ingot.oci.manifest import platform_for


@dataclass(frozen=True, slots=True)
class Pinned:
    """One image after locking.

    Attributes:
        digest: of its manifest or index; empty for a component, whose packages are pinned.
        packages: how many packages and wheels it has.
    """

    reference: str
    arch: str
    digest: str
    packages: int


def lock_appliance(
    inputs: Inputs, arches: Sequence[str], session: Session, *, update: bool
) -> list[Pinned]:
    """Resolve and fetch every image of an appliance, and save the lock.

    Args:
        inputs: the appliance.
        arches: Debian's names of the architectures to resolve for.
        session: its lock takes the pins.
        update: forget the pins of this appliance before, and ask registries again.

    Raises:
        DocumentError: the appliance file or a component has mistakes.
        Error: what fetching images and packages raises; the lock is unchanged then.
    """
    appliance = _read(inputs)
    references = image_references(appliance)
    layouts = [volume for volume in appliance.volumes if volume.format == "oci"]
    if update:
        kept = [volume.image for volume in layouts]
        _forget([*references, *kept], inputs.folder, arches, session)
    rows: list[Pinned] = []
    with session.progress.task("images", total=len(references) * len(arches)) as task:
        for arch in arches:
            for reference in references:
                image = get_image(reference, inputs.folder, arch, session)
                rows.append(Pinned(reference, arch, image.digest, len(image.packages)))
                task.advance()
            for volume in layouts:
                image, _ = get_layout(volume, inputs.folder, arch, session)
                rows.append(Pinned(volume.image, arch, image.digest, len(image.packages)))
    session.save_lock()
    return rows


def check_appliance(inputs: Inputs) -> tuple[str, ...]:
    """Return warnings if the appliance file and the components it names have no mistakes.

    Raises:
        DocumentError: one of them has; all mistakes of the first such file are listed.
        NotFoundError: the file or a component does not exist.
    """
    appliance = _read(inputs)
    for reference in image_references(appliance):
        if reference.startswith(COMPONENT_PREFIX):
            name = reference.removeprefix(COMPONENT_PREFIX)
            read_recipe(find_component(name, inputs.folder))
    return appliance.warnings


def _read(inputs: Inputs) -> Appliance:
    return with_additions(with_platform(parse_appliance(inputs.documents, name=inputs.name)))


def _forget(
    references: Sequence[str], folder: Path, arches: Sequence[str], session: Session
) -> None:
    for reference in references:
        if reference.startswith(COMPONENT_PREFIX):
            component = find_component(reference.removeprefix(COMPONENT_PREFIX), folder)
            session.lock.forget_closure(read_recipe(component).name)
        else:
            session.lock.forget_image(reference)
            for arch in arches:
                sources(folder, session).refresh(reference, platform_for(arch))
