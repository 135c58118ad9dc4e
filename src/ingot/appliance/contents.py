"""What is inside a build: written beside its outputs, read back, and compared with another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from ingot.appliance.manifest import MANIFEST_SUFFIX, BuiltFile, Manifest
from ingot.appliance.mtree import ListedFile, read_mtree, render_mtree
from ingot.appliance.outputs import OutputFile
from ingot.appliance.plan import Plan
from ingot.appliance.sbom import SBOM_PATH, Bill, read_sbom
from ingot.base.errors import NotFoundError, UsageError

SBOM_SUFFIX = ".spdx.json"
FILES_SUFFIX = ".mtree"


@dataclass(frozen=True, slots=True)
class Contents:
    """A build as its files tell it.

    Attributes:
        outputs: the files it wrote; none for an appliance that was only planned.
        bill: images and packages.
        files: the root file system, by path.
    """

    name: str
    arch: str
    outputs: Sequence[BuiltFile]
    bill: Bill
    files: Mapping[str, ListedFile]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two builds.

    Attributes:
        kind: of what.
        name: the image, `kind name` of a package, or the path.
        before: None where it was not there.
        after: None where it is not there any more.
    """

    kind: Literal["image", "package", "file"]
    name: str
    before: str | None
    after: str | None


def write_contents(plan: Plan, folder: Path, name: str) -> list[OutputFile]:
    """Write the bill of materials, and the list of files, of a plan that has the former inside.

    Raises:
        OSError: a file cannot be written or read.
    """
    files = [OutputFile("contents", f"{name}{FILES_SUFFIX}")]
    (folder / files[0].file_name).write_bytes(render_mtree(plan.root))
    bill = plan.root.get(SBOM_PATH)
    if bill is not None and bill.content is not None:
        files.append(OutputFile("sbom", f"{name}{SBOM_SUFFIX}"))
        (folder / files[1].file_name).write_bytes(bill.content.read())
    return files


def read_contents(prefix: Path) -> Contents:
    """Read the files beside a build's outputs.

    Args:
        prefix: `DIR/NAME`, as `ingot run` takes it.

    Raises:
        NotFoundError: there is no such build, or it was made without these files.
        UsageError: a file is malformed.
    """
    path = _beside(prefix, MANIFEST_SUFFIX)
    try:
        manifest = msgspec.json.decode(_read(path), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no manifest of a build: {error}") from error
    files = _beside(prefix, FILES_SUFFIX)
    return Contents(
        name=manifest.name,
        arch=manifest.arch,
        outputs=manifest.files,
        bill=read_bill(_beside(prefix, SBOM_SUFFIX)),
        files=read_mtree(_read(files), str(files)),
    )


def read_bill(path: Path) -> Bill:
    """Read the bill of materials that a build wrote; raises as `read_contents`."""
    return read_sbom(_read(path), str(path))


def planned_contents(plan: Plan) -> Contents:
    """Return what a build of a plan, which has its bill of materials inside, would hold."""
    bill = plan.root.get(SBOM_PATH)
    assert bill is not None
    assert bill.content is not None
    return Contents(
        name=plan.name,
        arch=plan.arch,
        outputs=(),
        bill=read_sbom(bill.content.read(), SBOM_PATH),
        files=read_mtree(render_mtree(plan.root), plan.name),
    )


def compare(old: Contents, new: Contents) -> list[Change]:
    """Return what differs: images, then packages, then files, each by name."""
    changes = [
        *_changes("image", old.bill.images, new.bill.images),
        *_changes("package", _versions(old.bill), _versions(new.bill)),
    ]
    before, after = ({path: _words(row) for path, row in c.files.items()} for c in (old, new))
    return [*changes, *_changes("file", before, after)]


def _changes(
    kind: Literal["image", "package", "file"], old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield Change(kind, name, before, after)


def _versions(bill: Bill) -> dict[str, str]:
    """Return the versions of every package, joined where an appliance holds several of one."""
    found: dict[str, set[str]] = {}
    for package in bill.packages:
        found.setdefault(f"{package.kind} {package.name}", set()).add(package.version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _words(row: ListedFile) -> str:
    return " ".join(f"{key}={value}" for key, value in row.attributes.items())


def _beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"{path} does not exist", hint="build it: ingot build FILE.yml"
        ) from None
