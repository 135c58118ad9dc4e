"""This very installation as files of an image: the `ingot` package and its program."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
from collections.abc import Iterator
from pathlib import Path

import ingot
from ingot.base.errors import Error
from ingot.debian.wheels import SITE, console_script
from ingot.oci.image import ImagePackage
from ingot.oci.tree import Entry, file

NAME = "ingot"


def distribution_entries(python: str) -> list[Entry]:
    """Return the running installation's modules, metadata and programs at their image places.

    Modes are fixed and files come sorted, so a checkout and an installed wheel give equal images.

    Raises:
        Error: the package is not a plain folder (as inside a zip).
    """
    root = importlib.resources.files(NAME)
    if not isinstance(root, Path):
        raise Error(
            "this installation of ingot is not a folder, so it cannot be copied into an image",
            hint="run the build from an installed wheel or a checkout",
        )
    modules = [
        file(f"{SITE}/{NAME}/{name}", (root / name).read_bytes()) for name in sorted(_walk(root))
    ]
    info = f"{SITE}/{NAME}-{ingot.__version__}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {ingot.__version__}\n"
    scripts = importlib.metadata.distribution(NAME).entry_points.select(group="console_scripts")
    programs = [
        file(f"usr/bin/{script.name}", console_script(script.value, python), 0o755)
        for script in scripts
    ]
    return [*modules, file(f"{info}/METADATA", metadata), *programs]


def distribution_package() -> ImagePackage:
    """Return this installation as part of an image's bill of materials."""
    return ImagePackage("distribution", NAME, ingot.__version__)


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        # Compiled files and tools' hidden folders depend on what was done in a checkout.
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        for name in names:
            if not name.startswith(".") and not name.endswith((".pyc", ".pyo")):
                yield os.path.relpath(os.path.join(folder, name), root)
