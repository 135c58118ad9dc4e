"""A build of which one file is wanted: under a name of its own, or as a stream."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ingot.appliance.build import BuildOptions, build
from ingot.appliance.inputs import Inputs
from ingot.appliance.manifest import BuiltFile
from ingot.appliance.outputs import find_output, find_outputs
from ingot.base.errors import UsageError
from ingot.debian.session import Session


def check_single(formats: Sequence[str]) -> None:
    """Return if these formats are one, which writes one file; raises UsageError if not."""
    if len(set(formats)) == 1 and len(find_output(formats[0]).suffixes) == 1:
        return
    single = [name for name, output in find_outputs().items() if len(output.suffixes) == 1]
    raise UsageError(
        "a single output is of a format that is one file",
        hint=f"give one of these by --format: {', '.join(single)}",
    )


def build_file(inputs: Inputs, options: BuildOptions, session: Session, path: Path) -> BuiltFile:
    """Build, and keep the one file of the format at `path`; see `build` for what is raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        built = _build(inputs, options, session, Path(folder))
        os.replace(Path(folder, built.path), path)
    return built


def build_stream(
    inputs: Inputs, options: BuildOptions, session: Session, sink: BinaryIO
) -> BuiltFile:
    """Build, and write the one file of the format to `sink`; see `build` for what is raised.

    Nothing is written before the build is whole.
    """
    with tempfile.TemporaryDirectory(prefix="ingot-build-") as folder:
        built = _build(inputs, options, session, Path(folder))
        with Path(folder, built.path).open("rb") as body:
            shutil.copyfileobj(body, sink)
        sink.flush()
    return built


def _build(inputs: Inputs, options: BuildOptions, session: Session, folder: Path) -> BuiltFile:
    check_single(options.formats)
    manifest = build(inputs, replace(options, folder=folder), session)
    [built] = [file for file in manifest.files if file.role not in {"sbom", "contents"}]
    return built
