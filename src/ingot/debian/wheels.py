"""Locked Python wheels in an image: chosen and fetched by pip for the target, unpacked by us.

Format: PyPA "Binary distribution format"; the index is the one the host's pip is set up for.
"""

from __future__ import annotations

import configparser
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from ingot.base.atomic import write_atomically
from ingot.base.errors import Error, IntegrityError, NetworkError
from ingot.base.units import GIB
from ingot.debian import elf
from ingot.debian.fetch import content_path
from ingot.debian.machine import Machine
from ingot.debian.requirements import Requirement, normalized
from ingot.debian.session import Session
from ingot.oci.image import ImagePackage
from ingot.oci.packed import Row, cached_entries
from ingot.oci.tree import Entry, TreeError, check_path

SITE = "usr/lib/python3/dist-packages"
WHEEL_BYTES_MAX = 2 * GIB
_PIP_TIMEOUT_S = 1800
# Debian 12 has glibc 2.36; wheels for any older one run there (PEP 600).
_GLIBC_MINOR = 36
_OLD_TAGS = ("manylinux2014", "manylinux2010", "manylinux1")
# Counts up when the layout in the image changes, so that old caches are not used.
_LAYOUT = 2
_TEXT_ERRORS = (configparser.Error, UnicodeDecodeError)


class WheelError(Error):
    """A wheel cannot be had or is malformed."""

    slug = "wheel"


class Wheel(msgspec.Struct, frozen=True, array_like=True):
    """A wheel in the content cache."""

    file_name: str
    sha256: str

    def package(self) -> ImagePackage:
        """Return it as part of an image's bill of materials."""
        name, version = self.file_name.split("-")[:2]
        return ImagePackage("wheel", normalized(name), version, sha256=self.sha256)


def get_wheels(
    requirements: Sequence[Requirement], machine: Machine, python: str, session: Session
) -> list[Wheel]:
    """Return the wheels for a target, from the cache where it has them all.

    Args:
        requirements: what to have; dependencies are not followed, the lock names them all.
        machine: the target.
        python: the target's version, such as `3.11`.
        session: the lock's pins narrow what pip may choose.

    Raises:
        WheelError: pip is missing, or a distribution has no wheel for the target.
        NetworkError: something is missing and we are offline.
    """
    lines = "\n".join(requirement.line() for requirement in requirements)
    key = hashlib.sha256(f"{machine.kernel} {python}\n{lines}".encode()).hexdigest()
    record = session.cache_dir / "wheels" / f"{key}.msgpack"
    wheels = _recorded(record, session)
    if wheels is None:
        if session.offline:
            raise NetworkError(
                "Python wheels are needed, and --offline forbids to fetch them",
                hint="build once without --offline to fill the cache",
            )
        wheels = _download(requirements, machine, python, session)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(record, msgspec.msgpack.encode(wheels))
    for wheel in wheels:
        session.lock.pin_wheel(wheel.file_name, wheel.sha256)
    return wheels


def wheel_entries(wheel: Wheel, python: str, cache_dir: Path) -> list[Entry]:
    """Return a wheel's files at their places in an image.

    Raises:
        WheelError: the wheel is malformed.
    """
    key = hashlib.sha256(f"wheel {_LAYOUT} {python} {wheel.sha256}".encode()).hexdigest()
    path = content_path(cache_dir, wheel.sha256)

    def fill(bodies: BinaryIO) -> list[Row]:
        try:
            with zipfile.ZipFile(path) as archive:
                return list(_rows(archive, wheel.file_name, python, bodies))
        except (zipfile.BadZipFile, TreeError, elf.ElfError, *_TEXT_ERRORS) as error:
            raise WheelError(f"{wheel.file_name} is malformed: {error}") from error

    return cached_entries(cache_dir, key, fill)


def console_script(entry_point: str, python: str) -> bytes:
    """Return the program that calls `module:function`, as an installer would write it.

    Raises:
        WheelError: the entry point is malformed.
    """
    module, _, attribute = entry_point.partition("[")[0].strip().partition(":")
    function = attribute.split(".", maxsplit=1)[0]
    if not (function.isidentifier() and module.replace(".", "_").isidentifier()):
        raise WheelError(f"{entry_point!r} is not an entry point")
    # -P keeps the program's own folder out of sys.path.
    text = (
        f"#!/usr/bin/python{python} -P\n"
        f"import sys\n\nfrom {module} import {function}\n\nsys.exit({attribute}())\n"
    )
    return text.encode()


def _recorded(record: Path, session: Session) -> list[Wheel] | None:
    """Return what an earlier run chose, if the cache still has it and the lock agrees."""
    try:
        wheels = msgspec.msgpack.decode(record.read_bytes(), type=list[Wheel])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    pins = session.lock.wheels()
    for wheel in wheels:
        pinned = pins.get(wheel.file_name, wheel.sha256)
        if pinned != wheel.sha256 or not content_path(session.cache_dir, wheel.sha256).exists():
            return None
    return wheels


def _download(
    requirements: Sequence[Requirement], machine: Machine, python: str, session: Session
) -> list[Wheel]:
    pins = session.lock.wheels()
    with (
        session.progress.task(f"fetching {len(requirements)} Python wheels"),
        tempfile.TemporaryDirectory(prefix="ingot-wheels-") as folder,
    ):
        lock = Path(folder, "requirements.txt")
        lines = [item.line(_narrowed(item, machine, python, pins)) for item in requirements]
        lock.write_text("\n".join(lines) + "\n", encoding="utf-8")
        target = Path(folder, "wheels")
        _run_pip(lock, target, machine, python)
        return [_keep(path, requirements, session.cache_dir) for path in sorted(target.iterdir())]


def _narrowed(
    requirement: Requirement, machine: Machine, python: str, pins: dict[str, str]
) -> tuple[str, ...] | None:
    """Return the one digest the lock has for a requirement on this target, if it has one."""
    for file_name, sha256 in pins.items():
        name, version, *rest = file_name.removesuffix(".whl").split("-")
        same = normalized(name) == normalized(requirement.name) and version == requirement.version
        tags = "-".join(rest)
        fits = tags.endswith("any") or (machine.kernel in tags and python.replace(".", "") in tags)
        if same and fits and sha256 in requirement.hashes:
            return (sha256,)
    return None


def _run_pip(lock: Path, target: Path, machine: Machine, python: str) -> None:
    tags = [f"manylinux_2_{minor}" for minor in range(_GLIBC_MINOR, 4, -1)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"),
        *("--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"),
        *("--implementation", "cp", "--python-version", python, "--dest", str(target)),
        *(f"--platform={tag}_{machine.kernel}" for tag in (*tags, *_OLD_TAGS)),
        *("--requirement", str(lock)),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_PIP_TIMEOUT_S
    )
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "")
    hint = "the lock must name distributions with wheels for the target; see `pip config list`"
    if "No module named pip" in reason:
        hint = "install pip into the environment that runs ingot: python -m ensurepip"
    raise WheelError(f"Python wheels cannot be fetched: {reason}", hint=hint)


def _keep(path: Path, requirements: Sequence[Requirement], cache_dir: Path) -> Wheel:
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if not any(sha256 in requirement.hashes for requirement in requirements):
        raise IntegrityError(f"{path.name} has the SHA-256 {sha256}, which the lock does not name")
    kept = content_path(cache_dir, sha256)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "rb") as source:
        data = source.read()
    write_atomically(kept, data)
    return Wheel(path.name, sha256)


def _rows(archive: zipfile.ZipFile, file_name: str, python: str, bodies: BinaryIO) -> Iterator[Row]:
    """Yield a wheel's files, writing their bodies one after the other."""
    offset = 0
    for info in sorted(archive.infolist(), key=lambda item: item.filename):
        if info.is_dir():
            continue
        path = _installed_path(check_path(info.filename), file_name)
        if path is None:
            continue
        if offset + info.file_size > WHEEL_BYTES_MAX:
            raise WheelError(f"{file_name} unpacks to more than {WHEEL_BYTES_MAX} bytes")
        data = archive.read(info)
        if path.startswith("usr/bin/") and data.startswith(b"#!python"):
            data = f"#!/usr/bin/python{python}".encode() + data[data.find(b"\n") :]
        if data.startswith(elf.MAGIC):
            # Many wheels carry debugging symbols several times the size of their code.
            data = elf.strip(data)
        executable = path.startswith("usr/bin/") or (info.external_attr >> 16) & 0o111
        yield _row(path, data, offset, 0o755 if executable else 0o644, bodies)
        offset += len(data)
        if info.filename.endswith(".dist-info/entry_points.txt"):
            for name, entry_point in _console_scripts(data.decode()):
                program = console_script(entry_point, python)
                yield _row(check_path(f"usr/bin/{name}"), program, offset, 0o755, bodies)
                offset += len(program)


def _row(path: str, data: bytes, offset: int, mode: int, bodies: BinaryIO) -> Row:
    bodies.write(data)
    digest = hashlib.sha256(data).hexdigest()
    return Row(path, "file", mode, size_bytes=len(data), offset=offset, digest=digest)


def _installed_path(name: str, file_name: str) -> str | None:
    """Return where a wheel's member goes; None for C headers, which no image needs."""
    stem = "-".join(file_name.split("-")[:2])
    prefix = f"{stem}.data/"
    if not name.startswith(prefix):
        return f"{SITE}/{name}"
    scheme, _, rest = name.removeprefix(prefix).partition("/")
    places = {"purelib": SITE, "platlib": SITE, "scripts": "usr/bin", "data": "usr"}
    return f"{places[scheme]}/{rest}" if scheme in places else None


def _console_scripts(text: str) -> list[tuple[str, str]]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    # Names of programs keep their case.
    parser.optionxform = str  # type: ignore[assignment,method-assign] # configparser's own idiom
    parser.read_string(text)
    return parser.items("console_scripts") if parser.has_section("console_scripts") else []
