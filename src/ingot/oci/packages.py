"""What an image says it is made of: the databases of dpkg and apk in its tree, or our label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ingot.base.units import MIB
from ingot.oci.image import ImagePackage
from ingot.oci.manifest import decode
from ingot.oci.tree import Tree

PACKAGES_LABEL = "ingot.packages"
"""Of images we build: their packages as JSON, because no package manager's database is in them."""
DATABASE_BYTES_MAX = 64 * MIB
_DPKG_STATUS = "var/lib/dpkg/status"
# Images without a package manager keep one file for each package here.
_DPKG_PARTS = "var/lib/dpkg/status.d/"
_CODENAME = re.compile(r"^VERSION_CODENAME=\"?([a-z]+)", re.MULTILINE)
_APK_DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")


def installed_packages(tree: Tree) -> tuple[ImagePackage, ...]:
    """Return the packages recorded in a tree, ordered by kind and name."""
    found = set(_dpkg(tree)) | set(_apk(tree))
    return tuple(sorted(found, key=lambda p: (p.kind, p.name, p.version, p.architecture)))


def packages_label(packages: Sequence[ImagePackage]) -> str:
    """Return the value of `PACKAGES_LABEL`."""
    return msgspec.json.encode(packages).decode()


def labelled_packages(labels: Mapping[str, str], what: str) -> tuple[ImagePackage, ...]:
    """Return what `PACKAGES_LABEL` lists, if it is among an image's labels.

    Raises:
        ManifestError: it is malformed.
    """
    text = labels.get(PACKAGES_LABEL, "[]")
    return decode(text.encode(), tuple[ImagePackage, ...], f"{what} label {PACKAGES_LABEL}")


def _dpkg(tree: Tree) -> Iterator[ImagePackage]:
    release = _release(tree)
    parts = [
        entry.path
        for entry in tree
        if entry.path.startswith(_DPKG_PARTS) and not entry.path.endswith(".md5sums")
    ]
    for path in (_DPKG_STATUS, *parts):
        for fields in _stanzas(_text(tree, path), ": "):
            name, version = fields.get("Package"), fields.get("Version")
            installed = fields.get("Status", "ok installed").endswith(" installed")
            if name and version and installed:
                source, _, own = fields.get("Source", name).partition(" ")
                yield ImagePackage(
                    "deb",
                    name,
                    version,
                    fields.get("Architecture", ""),
                    source=source,
                    source_version=own.strip("()") or version,
                    release=release,
                )


def _release(tree: Tree) -> str:
    """Return the code name of the release (os-release(5)); empty where the image has none."""
    found = _CODENAME.search(_text(tree, "etc/os-release"))
    return found[1] if found else ""


def _apk(tree: Tree) -> Iterator[ImagePackage]:
    for path in _APK_DATABASES:
        for fields in _stanzas(_text(tree, path), ":"):
            name, version = fields.get("P"), fields.get("V")
            if name and version:
                yield ImagePackage("apk", name, version, fields.get("A", ""))


def _stanzas(text: str, separator: str) -> Iterator[dict[str, str]]:
    """Yield the single-line fields of each paragraph."""
    for paragraph in text.split("\n\n"):
        lines = (line.partition(separator) for line in paragraph.splitlines())
        yield {key: value for key, found, value in lines if found and not key.startswith(" ")}


def _text(tree: Tree, path: str) -> str:
    entry = tree.resolve(path)
    if entry is None or entry.content is None or entry.content.size_bytes > DATABASE_BYTES_MAX:
        return ""
    return entry.content.read().decode("utf-8", "replace")
