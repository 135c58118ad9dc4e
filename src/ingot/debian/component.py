"""Turns a component folder (component.yml and its files) into an image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ingot.base.errors import NotFoundError, UsageError
from ingot.debian.assemble import account_entries, assemble, drop_absent, expand, prune
from ingot.debian.bytecode import add_bytecode
from ingot.debian.distribution import distribution_entries, distribution_package
from ingot.debian.globs import matcher
from ingot.debian.index import Package
from ingot.debian.machine import Machine, machine
from ingot.debian.recipe import FILE_NAME, FileRow, Recipe, read_recipe
from ingot.debian.requirements import Requirement, parse_requirements
from ingot.debian.session import Session
from ingot.debian.wheels import get_wheels, wheel_entries
from ingot.oci.image import Image, ImagePackage
from ingot.oci.tree import Entry, Tree, directory, file, symlink

_PYTHON_PACKAGE = re.compile(r"python(3\.\d+)-minimal")


def build_component(folder: Path, *, arch: str, session: Session) -> Image:
    """Build the image that `folder/component.yml` describes.

    Args:
        folder: holds component.yml and the files it names.
        arch: Debian architecture name (`amd64`, `arm64`).
        session: sources, lock and caches; `session.save_lock()` afterwards writes new pins.

    Raises:
        ingot.base.errors.UsageError: component.yml is wrong: all mistakes at once, with places.
        ingot.base.errors.Error: packages are missing, damaged or unsatisfiable, or no network.
    """
    target = machine(arch)
    recipe = read_recipe(folder)
    packages = _packages(recipe, target, session)
    entries = session.unpacked(packages)
    tree = assemble(entries)
    parts: list[ImagePackage] = []
    python = _python(packages)
    if recipe.wheels is not None or recipe.distribution is not None:
        if python is None:
            raise UsageError(
                f"{folder / FILE_NAME}: wheels and distribution need Python in the image",
                hint="add python3-minimal or python3 to its packages",
            )
        version = _minor(python)
        parts += _add_wheels(tree, _requirements(recipe, folder), target, version, session)
        if recipe.distribution is not None:
            for entry in distribution_entries(version):
                tree.add(entry)
            parts.append(distribution_package())
    own = [_file_entry(row, folder, tree) for row in recipe.files]
    prune(tree, recipe, target)
    parts += [_image_package(package) for package in drop_absent(tree, packages, entries)]
    for entry in account_entries(recipe.users, recipe.groups):
        tree.add(entry)
    for entry in own:
        tree.add(entry)
    if recipe.bytecode and python is not None:
        add_bytecode(tree, _minor(python), python.version, session)
    ordered = tuple(sorted(parts, key=lambda part: (part.kind, part.name)))
    return Image(f"component:{recipe.name}", recipe.config, tree, ordered)


def _packages(recipe: Recipe, target: Machine, session: Session) -> list[Package]:
    if not recipe.packages:
        return []
    return session.resolve(
        recipe.name,
        target.architecture,
        expand(recipe.packages, target),
        exclude=expand(recipe.exclude, target),
        ignore_depends=expand(recipe.ignore_depends, target),
    )


def _image_package(package: Package) -> ImagePackage:
    return ImagePackage(
        "deb",
        package.name,
        package.version,
        package.architecture,
        package.sha256,
        source=package.source_name,
        source_version=package.source_version,
        # Updates and security have suites of their own within a release.
        release=package.suite.partition("-")[0].partition("/")[0],
    )


def _python(packages: Sequence[Package]) -> Package | None:
    """Return the image's interpreter, the package whose name holds its version."""
    found = (package for package in packages if _PYTHON_PACKAGE.fullmatch(package.name))
    return next(found, None)


def _minor(package: Package) -> str:
    match = _PYTHON_PACKAGE.fullmatch(package.name)
    assert match is not None
    return match[1]


def _requirements(recipe: Recipe, folder: Path) -> list[Requirement]:
    if recipe.wheels is None:
        return []
    path = folder / recipe.wheels
    return parse_requirements(_read_bytes(path).decode("utf-8", "replace"), str(path))


def _add_wheels(
    tree: Tree,
    requirements: Sequence[Requirement],
    target: Machine,
    python: str,
    session: Session,
) -> list[ImagePackage]:
    """Add wheels; return them for the bill of materials."""
    if not requirements:
        return []
    wheels = get_wheels(requirements, target, python, session)
    for wheel in wheels:
        for entry in wheel_entries(wheel, python, session.cache_dir):
            tree.add(entry)
    return [wheel.package() for wheel in wheels]


def _file_entry(row: FileRow, folder: Path, packages: Tree) -> Entry:
    """Return an entry of `files`; `packages` holds what may be joined, before it is pruned."""
    if row.link is not None:
        return symlink(row.path, row.link)
    if row.directory:
        mode = 0o755 if row.mode is None else row.mode
        return directory(row.path, mode, uid=row.uid, gid=row.gid)
    if row.source is not None:
        data = _read_bytes(folder / row.source)
    elif row.join is not None:
        data = _joined(packages, row.join)
    else:
        data = (row.contents or "").encode()
    return file(row.path, data, 0o644 if row.mode is None else row.mode, uid=row.uid, gid=row.gid)


def _joined(packages: Tree, pattern: str) -> bytes:
    """Return the files that match, in the order of their names, each ended by a line's end."""
    matches = matcher([pattern])
    found = [entry.content for entry in packages if entry.content and matches(entry.path)]
    if not found:
        raise NotFoundError(
            f"no file of the packages matches {pattern}", hint="component.yml joins it"
        )
    return b"".join(content.read().rstrip(b"\n") + b"\n" for content in found)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist", hint="component.yml names it") from None
