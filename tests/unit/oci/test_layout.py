"""Images on disk are read in each form, found by name, and checked."""

import json
from pathlib import Path

import pytest

from ingot.base.errors import ConflictError, IntegrityError, NotFoundError, UsageError
from ingot.oci.digest import digest_of, hex_of
from ingot.oci.manifest import platform_for
from ingot.oci.sources import ImageSources, split_source
from ingot.oci.tree import TreeError
from ingot.testing.images import (
    SmallImage,
    index_of,
    member,
    tar_of,
    write_docker_archive,
    write_layout,
)

BASE = tar_of(member("etc"), member("etc/name", b"base"))
TOP = tar_of(member("etc/name", b"top"), member("bin/app", b"app", mode=0o755))
STATUS = b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\n"
REMOVED = b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"


@pytest.fixture
def image() -> SmallImage:
    return SmallImage([BASE, TOP], run={"Entrypoint": ["/bin/app"], "Env": ["A=b"], "User": "7"})


@pytest.fixture
def sources(tmp_path: Path) -> ImageSources:
    return ImageSources(cache_dir=tmp_path / "cache", folder=tmp_path, offline=True)


def tar_folder(folder: Path, target: Path) -> Path:
    members = [
        member(str(path.relative_to(folder)), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    target.write_bytes(tar_of(*members))
    return target


AMD64 = platform_for("amd64")


def check(sources: ImageSources, text: str) -> str:
    found = sources.get(text, AMD64)
    digest = found.digest
    assert found.reference == text
    assert found.config.entrypoint == ("/bin/app",)
    assert found.config.env == ("A=b",)
    assert found.config.user == "7"
    name = found.tree.resolve("etc/name")
    assert name is not None
    assert name.content is not None
    assert name.content.read() == b"top"
    assert "bin/app" in found.tree
    return digest


def test_an_oci_layout(image: SmallImage, sources: ImageSources, tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout", {"app:1": [image]})
    digest = digest_of(image.manifest())
    assert check(sources, "oci:layout") == digest
    assert check(sources, "oci:layout:app:1") == digest
    tar_folder(folder, tmp_path / "layout.tar")
    assert check(sources, "oci:layout.tar") == digest


def test_names_choose_among_several(image: SmallImage, sources: ImageSources, tmp_path) -> None:
    other = SmallImage([BASE])
    write_layout(tmp_path / "layout", {"app:1": [image], "app:2": [other]})
    assert check(sources, "oci:layout:app:1") == digest_of(image.manifest())
    with pytest.raises(NotFoundError) as caught:
        sources.get("oci:layout", AMD64)
    assert caught.value.hint == "name one of app:1, app:2"
    with pytest.raises(NotFoundError):
        sources.get("oci:layout:app:3", AMD64)


def test_an_index_by_platform(image: SmallImage, sources: ImageSources, tmp_path: Path) -> None:
    arm = SmallImage([BASE], architecture="arm64")
    write_layout(tmp_path / "layout", {"app": [arm, image]})
    check(sources, "oci:layout")
    found = sources.get("oci:layout", platform_for("arm64"))
    assert "bin/app" not in found.tree
    with pytest.raises(NotFoundError) as caught:
        sources.get("oci:layout", platform_for("riscv64"))
    assert caught.value.hint == "it is for linux/amd64, linux/arm64"


def test_an_image_of_another_architecture_is_refused(sources: ImageSources, tmp_path) -> None:
    write_layout(tmp_path / "layout", {"app": [SmallImage([BASE], architecture="s390x")]})
    with pytest.raises(NotFoundError, match="no image for linux/amd64"):
        sources.get("oci:layout", AMD64)


def test_a_docker_archive(image: SmallImage, sources: ImageSources, tmp_path: Path) -> None:
    image.layers = [BASE, TOP, TOP]
    write_docker_archive(tmp_path / "saved.tar", image, "app:1")
    digest = check(sources, "docker-archive:saved.tar")
    assert check(sources, "docker-archive:saved.tar:app:1") == digest
    with pytest.raises(NotFoundError):
        sources.get("docker-archive:saved.tar:app:2", AMD64)


def test_a_dishonest_docker_archive(image: SmallImage, sources: ImageSources, tmp_path) -> None:
    image.diff_ids = ["sha256:" + "1" * 64, "sha256:" + "2" * 64]
    write_docker_archive(tmp_path / "saved.tar", image, "app:1")
    with pytest.raises(IntegrityError):
        sources.get("docker-archive:saved.tar", AMD64)


def test_a_directory_as_skopeo_writes_it(image: SmallImage, sources, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_bytes(image.manifest())
    for digest, data in image.blobs().items():
        (folder / hex_of(digest)).write_bytes(data)
    assert check(sources, "dir:copied") == digest_of(image.manifest())


def test_a_plain_folder(sources: ImageSources, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin/app").write_bytes(b"app")
    (root / "bin/app").chmod(0o700)
    (root / "bin/sh").symlink_to("app")
    (root / "kernel").write_bytes(b"k")
    found = sources.get("dir:root", AMD64)
    digest = found.digest
    rows = [(e.path, e.kind, e.mode, e.uid) for e in found.tree]
    assert rows == [
        ("bin", "directory", 0o755, 0),
        ("bin/app", "file", 0o755, 0),
        ("bin/sh", "symlink", 0o777, 0),
        ("kernel", "file", 0o644, 0),
    ]
    (root / "kernel").write_bytes(b"K")
    with pytest.raises(ConflictError, match=r"ingot\.lock"):
        sources.get("dir:root", AMD64, digest)


def test_a_pin_that_no_longer_matches(image: SmallImage, sources, tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", {"app": [image]})
    digest = digest_of(image.manifest())
    assert sources.get("oci:layout", AMD64, digest).digest == digest
    with pytest.raises(ConflictError) as caught:
        sources.get("oci:layout", AMD64, "sha256:" + "0" * 64)
    assert caught.value.hint is not None
    assert "ingot lock --update" in caught.value.hint


@pytest.mark.parametrize("what", ["manifest", "config", "layer"])
def test_a_flipped_byte_is_found(what: str, image: SmallImage, sources, tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout", {"app": [image]})
    digests = {
        "manifest": digest_of(image.manifest()),
        "config": digest_of(image.config()),
        "layer": json.loads(image.manifest())["layers"][1]["digest"],
    }
    path = folder / "blobs/sha256" / hex_of(digests[what])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        sources.get("oci:layout", AMD64)


def test_a_missing_blob_is_named(image: SmallImage, sources, tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout", {"app": [image]})
    (folder / "blobs/sha256" / hex_of(digest_of(image.config()))).unlink()
    with pytest.raises(NotFoundError, match=r"layout lacks the blob sha256:"):
        sources.get("oci:layout", AMD64)


def test_digests_never_lead_out_of_the_layout(sources: ImageSources, tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout", {"app": [SmallImage([BASE])]})
    root = {"digest": "sha256:../../../secret", "size": 1}
    (folder / "index.json").write_text(json.dumps({"manifests": [root]}))
    with pytest.raises(UsageError, match="not a digest"):
        sources.get("oci:layout", AMD64)


def test_an_archive_that_names_a_path_outside(sources: ImageSources, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    saved = [{"Config": "../../etc/passwd", "RepoTags": None, "Layers": []}]
    (folder / "manifest.json").write_text(json.dumps(saved))
    with pytest.raises((UsageError, TreeError, IntegrityError)):
        sources.get("dir:copied", AMD64)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("oci:a/b", ("oci", "a/b", "")),
        ("oci:a/b:name:1", ("oci", "a/b", "name:1")),
        ("docker-archive:x.tar", ("docker-archive", "x.tar", "")),
        ("dir:/x", ("dir", "/x", "")),
        ("alpine:3", ("registry", "", "")),
        ("oci/image:3", ("registry", "", "")),
    ],
)
def test_kinds_of_sources(text: str, parts: tuple[str, str, str]) -> None:
    assert split_source(text) == parts


@pytest.mark.parametrize("text", ["oci:", "dir:", "dir:a:b", "Nope", "http://x/y"])
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(UsageError):
        split_source(text)


@pytest.mark.parametrize("name", ["no-layout", "empty", "text"])
def test_what_holds_no_image(name: str, sources: ImageSources, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello" * 200)
    with pytest.raises((UsageError, NotFoundError)):
        sources.get(f"oci:{name}", AMD64)


def test_packages_of_foreign_images(sources: ImageSources, tmp_path: Path) -> None:
    part = b"Package: tzdata\nVersion: 2024a\n"
    apk = b"P:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\n\nP:busybox\nV:1.36\n"
    tar = tar_of(
        member("var/lib/dpkg/status", STATUS + REMOVED),
        member("var/lib/dpkg/status.d/tzdata", part),
        member("var/lib/dpkg/status.d/tzdata.md5sums", b"Package: no\nVersion: 1\n"),
        member("lib/apk/db/installed", apk),
    )
    write_layout(tmp_path / "layout", {"app": [SmallImage([tar])]})
    found = sources.get("oci:layout", AMD64)
    assert [(p.kind, p.name, p.version) for p in found.packages] == [
        ("apk", "busybox", "1.36"),
        ("apk", "musl", "1.2.5-r0"),
        ("deb", "libc6", "2.36-9"),
        ("deb", "tzdata", "2024a"),
    ]


def test_a_malformed_list_of_packages_is_refused(sources: ImageSources, tmp_path: Path) -> None:
    run = {"Labels": {"ingot.packages": '[{"kind": "rpm"}]'}}
    write_layout(tmp_path / "layout", {"app": [SmallImage([BASE], run=run)]})
    with pytest.raises(IntegrityError, match=r"ingot\.packages is malformed"):
        sources.get("oci:layout", AMD64)


def test_an_image_kept_as_a_layout_is_the_image(
    image: SmallImage, sources: ImageSources, tmp_path: Path
) -> None:
    """A volume's layout, written out, is read again by any reader of layouts."""
    arm = SmallImage([BASE], architecture="arm64")
    write_layout(tmp_path / "layout", {"app:1": [image, arm]})
    platforms = [platform_for("amd64"), platform_for("arm64")]
    for count in (1, 2):
        tree, digest = sources.kept("oci:layout:app:1", platforms[:count])
        assert digest == digest_of(index_of(image, arm))
        for entry in tree:
            if entry.content is not None:
                path = tmp_path / f"out{count}" / entry.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(entry.content.read())
        check(sources, f"oci:out{count}:app:1")
        has_arm = (tmp_path / f"out{count}/blobs/sha256" / hex_of(digest_of(arm.config()))).exists()
        assert has_arm == (count == 2)
    assert "bin/app" not in sources.get("oci:out2", platform_for("arm64")).tree
    with pytest.raises(NotFoundError):
        sources.kept("oci:layout", [platform_for("riscv64")])
