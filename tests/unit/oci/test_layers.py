"""Layers become one tree as a runtime would extract them; damaged and hostile ones are refused."""

import tarfile
from pathlib import Path

import pytest
from backports import zstd

from ingot.oci import layers as layers_module
from ingot.oci.digest import DigestError, digest_of
from ingot.oci.layers import layer_entries, stack
from ingot.oci.tarball import TarballError
from ingot.oci.tree import Content, Entry, Tree
from ingot.testing.images import gzipped, member, tar_of

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def entries(tar: bytes, cache: Path, packed: bytes | None = None) -> list[Entry]:
    blob = Content.of(tar if packed is None else packed)
    return layer_entries(blob, f"sha256:{blob.sha256()}", digest_of(tar), cache)


def stacked(cache: Path, *tars: bytes) -> Tree:
    return stack(entries(tar, cache) for tar in tars)


def text(tree: Tree, path: str) -> bytes:
    entry = tree.resolve(path)
    assert entry is not None, path
    assert entry.content is not None
    return entry.content.read()


@pytest.mark.parametrize("compress", [bytes, gzipped, zstd.compress])
def test_every_compression(compress, tmp_path: Path) -> None:
    tar = tar_of(member("etc"), member("etc/motd", b"hello", mode=0o4755, uid=3, gid=4))
    (folder, file) = entries(tar, tmp_path, compress(tar))
    assert (folder.path, folder.kind, folder.mode) == ("etc", "directory", 0o755)
    assert (file.path, file.mode, file.uid, file.gid) == ("etc/motd", 0o4755, 3, 4)
    assert file.content is not None
    assert file.content.read() == b"hello"


def test_a_layer_is_decompressed_once(tmp_path: Path) -> None:
    tar = tar_of(member("a", b"x"))
    first = entries(tar, tmp_path, gzipped(tar))
    gone = Content(1, path=str(tmp_path / "missing"))
    assert layer_entries(gone, "sha256:" + "0" * 64, digest_of(tar), tmp_path) == first


def test_devices_attributes_and_capabilities_are_kept(tmp_path: Path) -> None:
    headers = {
        "SCHILY.xattr.security.capability": CAPABILITY.decode("utf-8", "surrogateescape"),
        "SCHILY.xattr.user.odd": b"\xff\x00\n=".decode("utf-8", "surrogateescape"),
    }
    program = member("bin/ping", b"elf")
    made = tar_of_raw(headers, program)
    device = member("dev/null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
    pipe = member("run/pipe", b"", type=tarfile.FIFOTYPE)
    found = {entry.path: entry for entry in entries(made, tmp_path)}
    assert found["bin/ping"].xattrs == (
        ("security.capability", CAPABILITY),
        ("user.odd", b"\xff\x00\n="),
    )
    others = {entry.path: entry for entry in entries(tar_of(device, pipe), tmp_path)}
    assert others["dev/null"].device == (1, 3)
    assert others["run/pipe"].kind == "fifo"


def tar_of_raw(headers: dict[str, str], item: tuple[tarfile.TarInfo, bytes]) -> bytes:
    info, data = item
    info.pax_headers = headers
    head = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return head + data + bytes(-len(data) % 512) + bytes(1024)


def test_upper_layers_win(tmp_path: Path) -> None:
    lower = tar_of(member("a", b"1"), member("b", b"1"), member("d"), member("d/x", b"1"))
    upper = tar_of(member("a", b"2"), member("d", b"now a file"))
    tree = stacked(tmp_path, lower, upper)
    assert text(tree, "a") == b"2"
    assert text(tree, "b") == b"1"
    assert text(tree, "d") == b"now a file"
    assert "d/x" not in tree


def test_a_directory_takes_the_place_of_a_link(tmp_path: Path) -> None:
    link = member("var/run", b"", type=tarfile.SYMTYPE, linkname="/run")
    lower = tar_of(member("run"), member("run/x", b"1"), link)
    tree = stacked(tmp_path, lower, tar_of(member("var/run"), member("var/run/y", b"2")))
    assert {entry.path for entry in tree} == {"run", "run/x", "var", "var/run", "var/run/y"}


def test_files_land_behind_links_of_lower_layers(tmp_path: Path) -> None:
    lower = tar_of(member("usr/bin"), member("bin", b"", type=tarfile.SYMTYPE, linkname="usr/bin"))
    tree = stacked(
        tmp_path, lower, tar_of(member("bin/sh", b"sh")), tar_of(member("bin/.wh.sh", b""))
    )
    assert "usr/bin" in tree
    assert "usr/bin/sh" not in tree


def test_whiteouts_delete_what_is_below_and_nothing_else(tmp_path: Path) -> None:
    lower = tar_of(member("a", b"1"), member("d"), member("d/x", b"1"), member("d/y", b"1"))
    upper = tar_of(
        member("d/x", b"2"),
        member("d/.wh.x", b""),
        member(".wh.a", b""),
        member(".wh.never", b""),
        member(".wh..wh.plnk", b""),
    )
    tree = stacked(tmp_path, lower, upper)
    assert "a" not in tree
    assert text(tree, "d/x") == b"2"
    assert text(tree, "d/y") == b"1"
    assert not [entry for entry in tree if ".wh." in entry.path]


def test_an_opaque_directory_hides_all_below(tmp_path: Path) -> None:
    lower = tar_of(member("d"), member("d/e"), member("d/e/x", b"1"), member("dd", b"kept"))
    upper = tar_of(member("d", mode=0o700), member("d/new", b"2"), member("d/.wh..wh..opq", b""))
    tree = stacked(tmp_path, lower, upper)
    assert {entry.path for entry in tree} == {"d", "d/new", "dd"}
    folder = tree.get("d")
    assert folder is not None
    assert folder.mode == 0o700


def test_the_root_can_be_opaque(tmp_path: Path) -> None:
    tree = stacked(tmp_path, tar_of(member("a", b"1")), tar_of(member(".wh..wh..opq", b"")))
    assert len(tree) == 0


def test_hard_links_reach_into_lower_layers(tmp_path: Path) -> None:
    link = member("b", b"", type=tarfile.LNKTYPE, linkname="a")
    again = member("a", b"", type=tarfile.LNKTYPE, linkname="b")
    tree = stacked(tmp_path, tar_of(member("a", b"1", mode=0o600)), tar_of(link), tar_of(again))
    assert text(tree, "a") == text(tree, "b") == b"1"
    found = tree.get("b")
    assert found is not None
    assert (found.kind, found.mode) == ("file", 0o600)


@pytest.mark.parametrize("name", ["/etc/motd", "./etc/motd", "etc//motd", "etc/./motd"])
def test_spellings_of_a_path(name: str, tmp_path: Path) -> None:
    tree = stacked(tmp_path, tar_of(member("./"), member(name, b"x")))
    assert text(tree, "etc/motd") == b"x"


@pytest.mark.parametrize(
    "bad",
    [
        member("../etc/passwd", b"x"),
        member("a/../../b", b"x"),
        member("link", b"", type=tarfile.LNKTYPE, linkname="../outside"),
        member("odd", b"", type=b"Z"),
    ],
    ids=lambda item: item[0].name,
)
def test_hostile_members_are_refused(bad, tmp_path: Path) -> None:
    with pytest.raises(TarballError):
        entries(tar_of(bad), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "upper",
    [
        tar_of(member("b", b"", type=tarfile.LNKTYPE, linkname="missing")),
        tar_of(member("a/b", b"below a file")),
        tar_of(member("loop/x", b"behind a loop")),
    ],
)
def test_layers_that_do_not_fit_are_refused(upper: bytes, tmp_path: Path) -> None:
    loop = member("loop", b"", type=tarfile.SYMTYPE, linkname="loop")
    with pytest.raises(TarballError, match="layer 2"):
        stacked(tmp_path, tar_of(member("a", b"1"), loop), upper)


def test_symlinks_never_lead_out(tmp_path: Path) -> None:
    link = member("out", b"", type=tarfile.SYMTYPE, linkname="../../../../tmp")
    tree = stacked(tmp_path, tar_of(link, member("tmp")), tar_of(member("out/x", b"x")))
    assert "tmp/x" in tree


def test_wrong_digests_are_found_and_nothing_is_kept(tmp_path: Path) -> None:
    tar = tar_of(member("a", b"x"))
    blob = Content.of(gzipped(tar))
    with pytest.raises(DigestError):
        layer_entries(blob, "sha256:" + "0" * 64, digest_of(tar), tmp_path)
    with pytest.raises(DigestError):
        layer_entries(blob, f"sha256:{blob.sha256()}", "sha256:" + "0" * 64, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("cut", [5, 40, -3])
def test_cut_layers_are_refused(cut: int, tmp_path: Path) -> None:
    tar = tar_of(member("a", bytes(range(256)) * 40))
    with pytest.raises(TarballError):
        entries(tar, tmp_path, gzipped(tar)[:cut])


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(layers_module, "LAYER_BYTES_MAX", 4096)
    tar = tar_of(member("zeros", bytes(100_000)))
    with pytest.raises(TarballError, match="more than 4096"):
        entries(tar, tmp_path, gzipped(tar))
