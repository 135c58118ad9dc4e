"""Wheels land where an installer would put them, smaller and without anything run."""

import hashlib
import io
import stat
import zipfile
from pathlib import Path

import msgspec
import pytest

from ingot.base.errors import NetworkError
from ingot.debian.fetch import content_path
from ingot.debian.machine import machine
from ingot.debian.requirements import Requirement
from ingot.debian.session import Session
from ingot.debian.wheels import Wheel, WheelError, console_script, get_wheels, wheel_entries
from ingot.oci.tree import Entry
from ingot.testing.elfs import make_elf

SITE = "usr/lib/python3/dist-packages"
NAME = "app-1.0-py3-none-any.whl"


def wheel_bytes(files: dict[str, bytes], executable: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            info = zipfile.ZipInfo(name)
            mode = 0o755 if name == executable else 0o644
            info.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(info, body)
    return buffer.getvalue()


def kept(cache_dir: Path, data: bytes, name: str = NAME) -> Wheel:
    sha256 = hashlib.sha256(data).hexdigest()
    path = content_path(cache_dir, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Wheel(name, sha256)


def entries(cache_dir: Path, files: dict[str, bytes], executable: str = "") -> dict[str, Entry]:
    wheel = kept(cache_dir, wheel_bytes(files, executable))
    return {entry.path: entry for entry in wheel_entries(wheel, "3.11", cache_dir)}


def body(entry: Entry) -> bytes:
    assert entry.content is not None
    return entry.content.read()


def test_files_schemes_and_modes(tmp_path: Path) -> None:
    found = entries(
        tmp_path,
        {
            "app/__init__.py": b"x = 1\n",
            "app/tool": b"#!/bin/sh\n",
            "app-1.0.data/scripts/run": b"#!python\nprint()\n",
            "app-1.0.data/purelib/pure.py": b"",
            "app-1.0.data/data/share/app/d": b"d",
            "app-1.0.data/headers/app.h": b"h",
        },
        executable="app/tool",
    )
    assert {path: entry.mode for path, entry in found.items()} == {
        f"{SITE}/app/__init__.py": 0o644,
        f"{SITE}/app/tool": 0o755,
        "usr/bin/run": 0o755,
        f"{SITE}/pure.py": 0o644,
        "usr/share/app/d": 0o644,
    }
    assert body(found["usr/bin/run"]) == b"#!/usr/bin/python3.11\nprint()\n"
    assert body(found[f"{SITE}/app/__init__.py"]) == b"x = 1\n"


def test_entry_points_become_programs(tmp_path: Path) -> None:
    text = b"[console_scripts]\nApp-Run = app.cli:main\n[other]\nx = y:z\n"
    found = entries(tmp_path, {"app-1.0.dist-info/entry_points.txt": text})
    program = found["usr/bin/App-Run"]
    assert program.mode == 0o755
    assert body(program) == (
        b"#!/usr/bin/python3.11 -P\nimport sys\n\nfrom app.cli import main\n\nsys.exit(main())\n"
    )


def test_debugging_symbols_are_cut_off(tmp_path: Path) -> None:
    elf = make_elf(needed=["libc.so.6"], sections={".debug_info": b"d" * 9000})
    found = entries(tmp_path, {"app/x.so": elf})
    assert len(body(found[f"{SITE}/app/x.so"])) < 1000


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b"])
def test_hostile_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(WheelError, match="malformed"):
        entries(tmp_path, {name: b""})


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WheelError, match="malformed"):
        wheel_entries(kept(tmp_path, b"no zip"), "3.11", tmp_path)


@pytest.mark.parametrize("text", ["app", "app:", "app:1x", "a-b:c", ":main", "a;b:c"])
def test_malformed_entry_points_are_refused(text: str) -> None:
    with pytest.raises(WheelError):
        console_script(text, "3.11")


REQUIREMENTS = [Requirement("app", "1.0", ("a" * 64,))]


def test_offline_without_wheels_is_a_clear_error(tmp_path: Path) -> None:
    session = Session(cache_dir=tmp_path, offline=True)
    with pytest.raises(NetworkError, match="--offline"):
        get_wheels(REQUIREMENTS, machine("amd64"), "3.11", session)


def recorded(tmp_path: Path, wheel: Wheel) -> None:
    """Write the record an earlier run would have left."""
    line = REQUIREMENTS[0].line()
    key = hashlib.sha256(f"x86_64 3.11\n{line}".encode()).hexdigest()
    path = tmp_path / "wheels" / f"{key}.msgpack"
    path.parent.mkdir()
    path.write_bytes(msgspec.msgpack.encode([wheel]))


def test_a_warm_cache_needs_no_pip_and_fills_the_lock(tmp_path: Path) -> None:
    wheel = kept(tmp_path, wheel_bytes({"app.py": b""}))
    recorded(tmp_path, wheel)
    session = Session(cache_dir=tmp_path, offline=True)
    assert get_wheels(REQUIREMENTS, machine("amd64"), "3.11", session) == [wheel]
    assert session.lock.wheels() == {NAME: wheel.sha256}


def test_a_cache_that_disagrees_with_the_lock_is_not_used(tmp_path: Path) -> None:
    recorded(tmp_path, kept(tmp_path, wheel_bytes({"app.py": b""})))
    session = Session(cache_dir=tmp_path, offline=True)
    session.lock.pin_wheel(NAME, "f" * 64)
    with pytest.raises(NetworkError):
        get_wheels(REQUIREMENTS, machine("amd64"), "3.11", session)
