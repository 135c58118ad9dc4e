"""One build from appliance file to bootable files: read, get images, plan, write, name at once."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ingot.system
from ingot.appliance.bundle import COMPONENT_PREFIX
from ingot.appliance.manifest import Manifest, make_manifest, render
from ingot.appliance.outputs import Output, OutputFile, Target, find_output
from ingot.appliance.plan import Plan, image_references, make_plan, with_data_steps
from ingot.appliance.spec import Appliance, read_appliance
from ingot.appliance.tools import find_tool
from ingot.base.atomic import fsync_directory
from ingot.base.errors import NotFoundError
from ingot.debian.component import build_component
from ingot.debian.modules import module_order
from ingot.debian.session import Session
from ingot.oci.image import Image

FORMAT_DEFAULT = "kernel+initrd"
MANIFEST_SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What a build is asked for.

    Attributes:
        arch: Debian's name of the architecture.
        folder: takes the outputs; made if it is missing.
        name: what the outputs' names start with; None takes the appliance file's.
        compress_level: of zstd, 1 to 22; None favours speed.
    """

    arch: str
    folder: Path
    name: str | None = None
    formats: tuple[str, ...] = (FORMAT_DEFAULT,)
    compress_level: int | None = None


def build(path: Path, options: BuildOptions, session: Session) -> Manifest:
    """Build the appliance that the file at `path` describes; write its outputs and manifest.

    Nothing appears in the folder before everything is written, and nothing remains of a build
    that fails. Equal inputs and lock give equal bytes.

    Raises:
        DocumentError: the appliance file or a component has mistakes; all are listed.
        Error: what images, plan and outputs raise.
    """
    outputs = [find_output(name) for name in dict.fromkeys(options.formats)]
    for tool in {tool for output in outputs for tool in output.needs}:
        find_tool(tool)
    appliance = with_data_steps(read_appliance(path))
    images = load_images(appliance, path.parent, options.arch, session)
    order = partial(module_order, cache_dir=session.cache_dir)
    plan = make_plan(appliance, images, arch=options.arch, module_order=order)
    return write_outputs(plan, outputs, options, session)


def load_images(
    appliance: Appliance, folder: Path, arch: str, session: Session
) -> dict[str, Image]:
    """Return every image the appliance names, by reference, and save new pins of the lock.

    Components beside the appliance file (`components/NAME`, `NAME`) come before ours.
    """
    references = image_references(appliance)
    images: dict[str, Image] = {}
    with session.progress.task("images", total=len(references), unit="images") as task:
        for reference in references:
            component = find_component(reference.removeprefix(COMPONENT_PREFIX), folder)
            images[reference] = build_component(component, arch=arch, session=session)
            session.progress.note(f"image {reference}")
            task.advance()
    session.save_lock()
    return images


def find_component(name: str, folder: Path) -> Path:
    """Return the folder of a component.

    Raises:
        NotFoundError: there is none; the hint lists those that come with the product.
    """
    shipped = Path(next(iter(ingot.system.__path__)))
    places = (folder / "components" / name, folder / name, shipped / name)
    for place in places:
        if (place / "component.yml").is_file():
            return place
    known = sorted(entry.parent.name for entry in shipped.glob("*/component.yml"))
    raise NotFoundError(
        f"there is no component {name!r} in {folder}/components, {folder} or the product",
        hint=f"components of the product: {', '.join(known)}",
    )


def write_outputs(
    plan: Plan, outputs: list[Output], options: BuildOptions, session: Session
) -> Manifest:
    """Write every output beside each other, then give all their final names."""
    name = options.name or plan.name
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=options.folder) as staging:
        target = Target(Path(staging), name, options.compress_level)
        files: list[OutputFile] = []
        for output in outputs:
            with session.progress.task(f"output {output.name}"):
                files += output.write(plan, target)
            session.progress.note(f"output {output.name}")
        formats = [output.name for output in outputs]
        manifest = make_manifest(plan, name, formats, files, target.folder)
        (target.folder / f"{name}{MANIFEST_SUFFIX}").write_bytes(render(manifest))
        _publish(target.folder, options.folder, name)
    return manifest


def _publish(staging: Path, folder: Path, name: str) -> None:
    """Move all files to their names; the manifest, which vouches for the others, comes last."""
    manifest = f"{name}{MANIFEST_SUFFIX}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder / manifest)
    for path in sorted(staging.iterdir(), key=lambda path: (path.name == manifest, path.name)):
        os.replace(path, folder / path.name)
    fsync_directory(folder)
