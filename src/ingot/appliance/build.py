"""One build from appliance file to bootable files: read, get images, plan, write, name at once."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ingot.appliance.additions import with_additions
from ingot.appliance.contents import write_contents
from ingot.appliance.images import get_image, get_layout
from ingot.appliance.inputs import Inputs
from ingot.appliance.kernels import unpack_archive
from ingot.appliance.manifest import MANIFEST_SUFFIX, Manifest, make_manifest, render
from ingot.appliance.modules import image_references
from ingot.appliance.outputs import Output, OutputFile, Target, find_output
from ingot.appliance.plan import Plan, make_plan, with_platform
from ingot.appliance.sbom import SBOM_PATH, render_sbom
from ingot.appliance.spec import parse_appliance
from ingot.appliance.tools import find_tool
from ingot.base.atomic import fsync_directory
from ingot.base.errors import UsageError
from ingot.debian.modules import module_order
from ingot.debian.session import Session
from ingot.oci.image import Image
from ingot.oci.tree import Tree, file

FORMAT_DEFAULT = "kernel+initrd"


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What a build is asked for.

    Attributes:
        arch: Debian's name of the architecture.
        folder: takes the outputs; made if it is missing.
        name: what the outputs' names start with; None takes the appliance file's.
        compress_level: of zstd, 1 to 22; None favours speed.
        platform: see `with_platform`.
        disk_bytes: see `Target`.
    """

    arch: str
    folder: Path
    name: str | None = None
    formats: tuple[str, ...] = (FORMAT_DEFAULT,)
    compress_level: int | None = None
    platform: str | None = None
    disk_bytes: int = 0


def build(inputs: Inputs, options: BuildOptions, session: Session) -> Manifest:
    """Build the appliance that `inputs` describe; write its outputs and manifest.

    Nothing appears in the folder before everything is written, and nothing remains of a build
    that fails. Equal inputs and lock give equal bytes.

    Raises:
        DocumentError: the appliance file or a component has mistakes; all are listed.
        Error: what images, plan and outputs raise.
    """
    outputs = [find_output(name) for name in dict.fromkeys(options.formats)]
    _check_names(outputs)
    for output in outputs:
        _check(output, options.arch)
    loaders = dict.fromkeys(loader for output in outputs for loader in output.loaders)
    plan = plan_appliance(inputs, options.arch, session, platform=options.platform)
    images = load_images(loaders, inputs.folder, options.arch, session)
    trees = {loader: image.tree for loader, image in images.items()}
    return write_outputs(plan, outputs, options, session, trees)


def plan_appliance(
    inputs: Inputs, arch: str, session: Session, *, platform: str | None = None
) -> Plan:
    """Return the root file system of an appliance, its bill of materials inside.

    Args:
        inputs: the appliance.
        arch: Debian's name of the architecture.
        session: brings what images are made of.
        platform: see `with_platform`.

    Raises:
        DocumentError: the appliance file or a component has mistakes; all are listed.
        Error: what images and plan raise.
    """
    read = parse_appliance(inputs.documents, name=inputs.name)
    appliance = with_additions(with_platform(read, platform))
    images = load_images(image_references(appliance), inputs.folder, arch, session)
    layouts: dict[str, Tree] = {}
    held: dict[str, Image] = {}
    for volume in appliance.volumes:
        if volume.format == "oci":
            image, layouts[volume.name] = get_layout(volume, inputs.folder, arch, session)
            held[volume.image] = image
    session.save_lock()
    plan = make_plan(
        appliance,
        images,
        arch=arch,
        module_order=partial(module_order, cache_dir=session.cache_dir),
        unpack=partial(unpack_archive, cache_dir=session.cache_dir),
        layouts=layouts,
    )
    bill = render_sbom(plan.name, plan.arch, list({**held, **images}.values()))
    plan.root.add(file(SBOM_PATH, bill))
    return plan


def load_images(
    references: Collection[str], folder: Path, arch: str, session: Session
) -> dict[str, Image]:
    """Return every image by its reference, and save new pins of the lock."""
    images: dict[str, Image] = {}
    with session.progress.task("images", total=len(references), unit="images") as task:
        for reference in references:
            images[reference] = get_image(reference, folder, arch, session)
            session.progress.note(f"image {reference}")
            task.advance()
    session.save_lock()
    return images


def write_outputs(
    plan: Plan,
    outputs: list[Output],
    options: BuildOptions,
    session: Session,
    loaders: Mapping[str, Tree],
) -> Manifest:
    """Write every output beside each other, then give all their final names."""
    name = options.name or plan.name
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=options.folder) as staging:
        folder, work = Path(staging, "files"), Path(staging, "work")
        folder.mkdir()
        work.mkdir()
        target = Target(folder, work, name, options.compress_level, loaders, options.disk_bytes)
        files: list[OutputFile] = []
        for output in outputs:
            with session.progress.task(f"output {output.name}"):
                files += output.write(plan, target)
            session.progress.note(f"output {output.name}")
        files += write_contents(plan, target.folder, name)
        formats = [output.name for output in outputs]
        manifest = make_manifest(plan, name, formats, files, target.folder)
        (target.folder / f"{name}{MANIFEST_SUFFIX}").write_bytes(render(manifest))
        _publish(target.folder, options.folder, name)
    return manifest


def _check_names(outputs: Sequence[Output]) -> None:
    writers: dict[str, Output] = {}
    for output in outputs:
        for suffix in output.suffixes:
            other = writers.setdefault(suffix, output)
            if other is not output:
                raise UsageError(
                    f"{other.name} and {output.name} both write NAME{suffix}",
                    hint="build them apart, with another --name or --dir",
                )


def _check(output: Output, arch: str) -> None:
    if arch not in output.arches:
        raise UsageError(
            f"there is no {output.name} for {arch}",
            hint=f"it can be built for {', '.join(output.arches)}",
        )
    for tool in output.needs:
        find_tool(tool)


def _publish(staging: Path, folder: Path, name: str) -> None:
    """Move all files to their names; the manifest, which vouches for the others, comes last."""
    manifest = f"{name}{MANIFEST_SUFFIX}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder / manifest)
    for path in sorted(staging.iterdir(), key=lambda path: (path.name == manifest, path.name)):
        os.replace(path, folder / path.name)
    fsync_directory(folder)
