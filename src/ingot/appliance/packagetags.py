"""Names of packages by their contents: our components, and folders of LinuxKit's build.yml."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

from ingot.base.document import Reader
from ingot.base.errors import MissingToolError, NotFoundError, UsageError
from ingot.debian.recipe import FILE_NAME, read_recipe
from ingot.oci.sources import REGISTRY_LOCAL

LINUXKIT_FILE = "build.yml"
_LINUXKIT_ORG = "linuxkit"
# As long as the tags that LinuxKit takes from git.
_TAG_DIGITS = 40
_GIT_TIMEOUT_S = 30


def package_reference(folder: Path) -> str:
    """Return the image that a package's folder stands for in its present state.

    A component is `localhost/NAME:TAG`, as `ingot pkg build` keeps it; a folder with LinuxKit's
    build.yml is `ORG/IMAGE:TAG`, the tag being git's hash of the folder.

    Raises:
        NotFoundError: the folder holds neither.
        UsageError: its file is wrong, or git does not know its state.
    """
    if (folder / FILE_NAME).is_file():
        return f"{REGISTRY_LOCAL}/{read_recipe(folder).name}:{component_tag(folder)}"
    if (folder / LINUXKIT_FILE).is_file():
        return _linuxkit_reference(folder)
    raise NotFoundError(f"{folder} holds neither {FILE_NAME} nor {LINUXKIT_FILE}")


def component_tag(folder: Path) -> str:
    """Return a tag made of every file in a component's folder, its lock included."""
    digest = hashlib.sha256()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            kind, data = "link", os.fsencode(os.readlink(path))
        else:
            kind = "program" if os.access(path, os.X_OK) else "file"
            data = path.read_bytes()
        digest.update(f"{kind} {name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:_TAG_DIGITS]


def _files(folder: Path) -> Iterator[Path]:
    """Yield a folder's files in the order of their names, hidden ones and byte code left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "__pycache__")
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted([*names, *links]):
            if not name.startswith("."):
                yield Path(place, name)


def _linuxkit_reference(folder: Path) -> str:
    path = folder / LINUXKIT_FILE
    reader = Reader(str(path))
    root = reader.compose(path.read_text(encoding="utf-8"))
    nodes = reader.mapping(root) if root is not None else {}
    values = {
        key: reader.string(nodes[key])
        for key in ("image", "org", "tag")
        if isinstance(nodes.get(key), yaml.ScalarNode)
    }
    reader.finish()
    if "image" not in values:
        raise UsageError(f"{path} names no image")
    if "extra-sources" in nodes:
        raise UsageError(f"{path} has extra-sources, which make a tag that is not computed here")
    tag = (values.get("tag") or "{{.Hash}}").replace("{{.Hash}}", _git_hash(folder))
    return f"{values.get('org') or _LINUXKIT_ORG}/{values['image']}:{tag}"


def _git_hash(folder: Path) -> str:
    if _git(folder, "status", "--porcelain", "--", "."):
        raise UsageError(
            f"{folder} has changes that are not committed, so no registry has its image"
        )
    return _git(folder, "rev-parse", "HEAD:./")


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", os.fspath(folder), *words]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_GIT_TIMEOUT_S
        )
    except FileNotFoundError:
        raise MissingToolError(f"git is needed to name the package {folder}") from None
    if result.returncode != 0:
        raise UsageError(f"git knows nothing of {folder}: {result.stderr.strip()}")
    return result.stdout.strip()
