"""NAME.manifest.json: what a build wrote, with digests, and what a machine needs to boot it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from ingot.appliance.outputs import OutputFile, Role
from ingot.appliance.plan import Plan
from ingot.base.units import MIB

CONSOLE = "ttyS0"

_MEMORY_MIB_MIN = 128
_MEMORY_MIB_STEP = 64


class BuiltFile(msgspec.Struct, frozen=True):
    """One file of a build; `path` is relative to the manifest."""

    role: Role
    path: str
    size_bytes: int
    sha256: str


class Service(msgspec.Struct, frozen=True):
    """A service of the appliance, in the order of start."""

    name: str


class Manifest(msgspec.Struct, frozen=True):
    """The document; `format` names the formats, joined by commas."""

    name: str
    format: str
    arch: str
    files: list[BuiltFile]
    memory_mib: int
    services: list[Service]
    schema: Literal[1] = 1
    console: str = CONSOLE


def make_manifest(
    plan: Plan, name: str, formats: list[str], files: list[OutputFile], folder: Path
) -> Manifest:
    """Describe the files that the formats wrote into `folder`."""
    built = [_built(file, folder) for file in files]
    return Manifest(
        name=name,
        format=",".join(formats),
        arch=plan.arch,
        files=built,
        memory_mib=memory_mib(built),
        services=[Service(service) for service in plan.services],
    )


def render(manifest: Manifest) -> bytes:
    """Return the manifest's bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def memory_mib(files: list[BuiltFile]) -> int:
    """Return the RAM a machine should have.

    The initial RAM disk is in memory twice while the kernel unpacks it; Python needs about three
    times the size of its compressed files. Measured: docs/explanation/boot.md.
    """
    initrd_bytes = sum(file.size_bytes for file in files if file.role == "initrd")
    wanted = 96 + 4 * initrd_bytes // MIB
    steps = -(-wanted // _MEMORY_MIB_STEP)
    return max(_MEMORY_MIB_MIN, steps * _MEMORY_MIB_STEP)


def _built(file: OutputFile, folder: Path) -> BuiltFile:
    path = folder / file.file_name
    with path.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    return BuiltFile(file.role, file.file_name, path.stat().st_size, digest)
