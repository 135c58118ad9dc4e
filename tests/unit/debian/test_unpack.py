"""Packages are opened without trust: whole ones become entries, others clear errors."""

import gzip
import hashlib
import io
import lzma
import tarfile
from pathlib import Path

import pytest
from backports import zstd

from ingot.debian import unpack as unpack_module
from ingot.debian.unpack import DebFormatError, unpack
from ingot.oci.tree import Entry
from ingot.testing.debs import make_ar, make_deb, make_tar

FILES = {"usr": None, "usr/bin": None, "usr/bin/app": b"program", "etc/empty": b""}


def opened(data: bytes, tmp_path: Path) -> list[Entry]:
    deb = tmp_path / "app.deb"
    deb.write_bytes(data)
    return unpack(deb, hashlib.sha256(data).hexdigest(), tmp_path / "cache")


def with_data(name: str, data: bytes) -> bytes:
    return make_ar({"debian-binary": b"2.0\n", "control.tar.xz": b"odd", name: data})


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("data.tar", bytes),
        ("data.tar.gz", gzip.compress),
        ("data.tar.xz", lzma.compress),
        ("data.tar.zst", zstd.compress),
    ],
)
def test_every_compression(name: str, compress, tmp_path: Path) -> None:
    entries = opened(with_data(name, compress(make_tar(FILES, {"bin": "usr/bin"}))), tmp_path)
    kinds = [(entry.path, entry.kind) for entry in entries]
    assert kinds == [
        ("usr", "directory"),
        ("usr/bin", "directory"),
        ("usr/bin/app", "file"),
        ("etc/empty", "file"),
        ("bin", "symlink"),
    ]
    assert entries[2].content is not None
    assert entries[2].content.read() == b"program"
    assert entries[2].content.digest == hashlib.sha256(b"program").hexdigest()
    assert entries[4].link == "usr/bin"


def test_the_second_time_the_package_is_not_read(tmp_path: Path) -> None:
    data = make_deb(FILES)
    first = opened(data, tmp_path)
    (tmp_path / "app.deb").unlink()
    again = unpack(tmp_path / "app.deb", hashlib.sha256(data).hexdigest(), tmp_path / "cache")
    assert again == first


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    data = make_deb(FILES)
    first = opened(data, tmp_path)
    (index,) = (tmp_path / "cache").rglob("*.index")
    index.write_bytes(index.read_bytes()[:-5])
    assert opened(data, tmp_path) == first


def tar_of(member: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(member)
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "bad",
    [
        member("../../etc/passwd"),
        member("/etc/passwd"),
        member("a/../../b"),
        member("dev/sda", tarfile.BLKTYPE),
        member("pipe", tarfile.FIFOTYPE),
        member("link", tarfile.LNKTYPE, "../outside"),
    ],
    ids=lambda bad: bad.name,
)
def test_hostile_members_are_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(DebFormatError):
        opened(with_data("data.tar", tar_of(bad)), tmp_path)


WHOLE = make_deb(FILES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a package at all",
        WHOLE[:40],
        WHOLE[:200],
        WHOLE[:-60],
        make_ar({"debian-binary": b"2.0\n"}),
        with_data("data.tar.bz2", b""),
        with_data("data.tar.xz", b"no xz"),
        with_data("data.tar.gz", b"no gzip"),
        with_data("data.tar.zst", b"no zstd"),
        with_data("data.tar", b"no tar" * 200),
        WHOLE.replace(b"`\n", b"xx"),
    ],
)
def test_damaged_packages_are_refused_and_leave_nothing(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(DebFormatError):
        opened(data, tmp_path)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(unpack_module, "UNPACKED_BYTES_MAX", 4096)
    with pytest.raises(DebFormatError, match="more than 4096"):
        opened(make_deb({"zeros": b"\0" * 100_000}), tmp_path)
