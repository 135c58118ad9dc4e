"""`ingot.lock`: which versions and digests a build took, so that the next one takes the same.

The file names packages, never the mirror they came from. It only grows during builds; moving a
pin is the user's explicit wish.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ingot.base.atomic import write_atomically
from ingot.base.errors import UsageError
from ingot.debian.index import Package

FILE_NAME = "ingot.lock"
_SCHEMA = 1


class _Pin(msgspec.Struct, frozen=True, omit_defaults=True):
    version: str
    architecture: str
    suite: str
    path: str
    size_bytes: int
    sha256: str
    depends: str = ""
    provides: str = ""
    source: str = ""


class _Closure(msgspec.Struct, frozen=True):
    wanted: str
    packages: list[str]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    schema: int
    packages: dict[str, dict[str, _Pin]] = {}
    closures: dict[str, dict[str, _Closure]] = {}
    wheels: dict[str, str] = {}
    images: dict[str, str] = {}


@dataclass(slots=True)
class Lock:
    """The pins of one folder of appliances.

    Attributes:
        changed: something was added since it was read.
    """

    _document: _Document = field(default_factory=lambda: _Document(_SCHEMA))
    changed: bool = False

    @classmethod
    def load(cls, path: Path) -> Lock:
        """Read a lock file; an empty lock where there is none.

        Raises:
            UsageError: the file is no lock, or of a newer kind.
        """
        try:
            document = msgspec.json.decode(path.read_bytes(), type=_Document)
        except FileNotFoundError:
            return cls()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path} is not a lock file: {error}", hint="remove it to pin everything anew"
            ) from error
        if document.schema != _SCHEMA:
            raise UsageError(
                f"{path} has schema {document.schema}, this version reads {_SCHEMA}",
                hint="use the version of ingot that wrote it, or remove it to pin anew",
            )
        return cls(document)

    def save(self, path: Path) -> None:
        """Write the lock, sorted, so that equal locks are equal files."""
        plain: Any = msgspec.to_builtins(self._document)
        text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_atomically(path, text.encode())
        self.changed = False

    def packages(self, architecture: str) -> dict[str, Package]:
        """Return the pinned packages of an architecture by name."""
        pins = self._document.packages.get(architecture, {})
        return {name: _package(name, pin) for name, pin in pins.items()}

    def closure(self, name: str, architecture: str, wanted: Sequence[Sequence[str]]) -> list[str]:
        """Return the names a component resolved to; empty unless it asks for the same as then."""
        known = self._document.closures.get(architecture, {}).get(name)
        return known.packages if known is not None and known.wanted == _digest(wanted) else []

    def pin_closure(
        self,
        name: str,
        architecture: str,
        wanted: Sequence[Sequence[str]],
        packages: Sequence[Package],
    ) -> None:
        """Note what a component resolved to."""
        pins = self._document.packages.setdefault(architecture, {})
        for package in packages:
            pins[package.name] = _pin(package)
        closures = self._document.closures.setdefault(architecture, {})
        closures[name] = _Closure(_digest(wanted), [package.name for package in packages])
        self.changed = True

    def wheels(self) -> dict[str, str]:
        """Return the pinned SHA-256 by wheel file name."""
        return dict(self._document.wheels)

    def pin_wheel(self, file_name: str, sha256: str) -> None:
        """Note a wheel."""
        if self._document.wheels.get(file_name) != sha256:
            self._document.wheels[file_name] = sha256
            self.changed = True

    def forget_closure(self, name: str) -> None:
        """Drop what a component resolved to, with its packages' pins, on every architecture."""
        for architecture, closures in self._document.closures.items():
            closure = closures.pop(name, None)
            for package in closure.packages if closure is not None else ():
                self._document.packages[architecture].pop(package, None)
        self.changed = True

    def image(self, reference: str) -> str | None:
        """Return the pinned digest of an image."""
        return self._document.images.get(reference)

    def forget_image(self, reference: str) -> None:
        """Drop the digest of an image."""
        self._document.images.pop(reference, None)
        self.changed = True

    def pin_image(self, reference: str, digest: str) -> None:
        """Note the digest of an image's manifest or index, which all architectures share."""
        if self._document.images.get(reference) != digest:
            self._document.images[reference] = digest
            self.changed = True


def _digest(wanted: Sequence[Sequence[str]]) -> str:
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:32]


def _pin(package: Package) -> _Pin:
    values = msgspec.structs.asdict(package)
    del values["name"]
    return _Pin(**values)


def _package(name: str, pin: _Pin) -> Package:
    return Package(name=name, **msgspec.structs.asdict(pin))
