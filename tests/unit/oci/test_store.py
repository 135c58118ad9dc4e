"""The image store: names, collection, files in and out; always a layout that others can read."""

import os
import tarfile
import threading
import time
from pathlib import Path

import pytest

from ingot.base.errors import IntegrityError, NotFoundError, UsageError
from ingot.oci.digest import DigestError, digest_of
from ingot.oci.layout import open_layout
from ingot.oci.manifest import platform_for
from ingot.oci.sources import ImageSources
from ingot.oci.store import ImageStore
from ingot.oci.transfer import describe, export_image, import_images
from ingot.testing.images import SmallImage, member, tar_of, write_docker_archive, write_layout

BASE = tar_of(member("etc"), member("etc/name", b"base"))
NAME = "docker.io/library/app:1"
AMD64 = platform_for("amd64")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "cache")


@pytest.fixture
def image() -> SmallImage:
    return SmallImage([BASE, tar_of(member("bin/app", b"app"))])


def files(store: ImageStore) -> set[str]:
    return {path.name for path in store.cache_dir.rglob("*") if path.is_file()}


def test_an_empty_store(store: ImageStore) -> None:
    assert store.images() == []
    assert describe(store) == []
    assert store.find(NAME) is None
    with pytest.raises(NotFoundError):
        store.remove_name(NAME)


def test_a_layout_comes_in_under_its_names(store, image, tmp_path: Path) -> None:
    arm = SmallImage([BASE], architecture="arm64")
    write_layout(tmp_path / "layout", {"app:1": [image, arm]})
    assert import_images(tmp_path / "layout", None, store) == [NAME]
    (found,) = describe(store)
    assert (found.name, found.platforms) == (NAME, ("linux/amd64", "linux/arm64"))
    blobs = [path for path in (store.root / "blobs").rglob("*") if path.is_file()]
    assert found.size_bytes == sum(path.stat().st_size for path in blobs)
    sources = ImageSources(cache_dir=store.cache_dir, offline=True)
    assert "bin/app" in sources.get("app:1", AMD64).tree


def test_docker_archives_come_in(store: ImageStore, image: SmallImage, tmp_path: Path) -> None:
    write_docker_archive(tmp_path / "saved.tar", image, "app:1")
    assert import_images(tmp_path / "saved.tar", None, store) == [NAME]
    assert import_images(tmp_path / "saved.tar", "r.example/x", store) == ["r.example/x:latest"]
    assert [found.name for found in describe(store)] == [NAME, "r.example/x:latest"]


def test_a_mere_tag_is_no_name(store: ImageStore, image: SmallImage, tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", {"latest": [image]})
    with pytest.raises(UsageError) as caught:
        import_images(tmp_path / "layout", None, store)
    assert caught.value.hint == "give it one: --name NAME:TAG"


def test_damaged_images_do_not_come_in(store, image, tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout", {"app:1": [image]})
    largest = max((folder / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[-1] ^= 1
    largest.write_bytes(data)
    with pytest.raises(IntegrityError):
        import_images(folder, None, store)
    largest.unlink()
    with pytest.raises(NotFoundError):
        import_images(folder, None, store)
    assert store.images() == []


def test_what_goes_out_comes_in_again(store, image, tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", {"app:1": [image], "other:1": [SmallImage([BASE])]})
    import_images(tmp_path / "layout", None, store)
    one, two = tmp_path / "1.tar", tmp_path / "2.tar"
    export_image(NAME, one, store)
    export_image(NAME, two, store)
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        assert len(archive.getnames()) == 2 + 4
    (root,) = open_layout(one).images()
    assert root.digest == digest_of(image.manifest())
    other = ImageStore(tmp_path / "other")
    assert import_images(one, None, other) == [NAME]
    assert files(other) == files(store) - {
        path.name
        for path in (store.root / "blobs/sha256").iterdir()
        if path.name not in {p.name for p in (other.root / "blobs/sha256").iterdir()}
    }
    with pytest.raises(NotFoundError):
        export_image("docker.io/library/none:1", one, store)


def test_collection_keeps_what_names_need(store, image, tmp_path: Path) -> None:
    small = SmallImage([BASE])
    write_layout(tmp_path / "layout", {"app:1": [image], "small:1": [small]})
    import_images(tmp_path / "layout", None, store)
    sources = ImageSources(cache_dir=store.cache_dir, offline=True)
    for name in ("app:1", "small:1"):
        sources.get(name, AMD64)
    whole = files(store)
    assert store.collect(grace_s=0).files == 0
    store.remove_name(NAME)
    assert store.collect().files == 0, "what was just used must stay"
    collected = store.collect(grace_s=0)
    # Manifest, configuration and the layer of its own; of that also the unpacked form.
    assert collected.files == 5
    assert len(whole) - len(files(store)) == 5
    assert "etc/name" in sources.get("small:1", AMD64).tree
    store.remove_name("docker.io/library/small:1")
    store.collect(grace_s=0)
    assert files(store) == {"index.json", "oci-layout", "lock"}


def test_use_renews_the_grace(store: ImageStore, image: SmallImage, tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", {"app:1": [image]})
    import_images(tmp_path / "layout", None, store)
    root = store.find(NAME)
    assert root is not None
    path = Path(str(store.blob(root).path))
    os.utime(path, (1, 1))
    store.blob(root)
    assert time.time() - path.stat().st_mtime < 60


def test_a_name_moves(store: ImageStore, image: SmallImage, tmp_path: Path) -> None:
    write_layout(tmp_path / "one", {"app:1": [image]})
    write_layout(tmp_path / "two", {"app:1": [SmallImage([BASE])]})
    import_images(tmp_path / "one", None, store)
    import_images(tmp_path / "two", None, store)
    (found,) = describe(store)
    assert found.digest == digest_of(SmallImage([BASE]).manifest())


def test_blobs_are_verified(store: ImageStore) -> None:
    with pytest.raises(DigestError):
        store.put("sha256:" + "0" * 64, [b"other bytes"])
    assert not store.has("sha256:" + "0" * 64)
    assert files(store) == set()


def append(store: ImageStore, digest: str, data: bytes, *, breaks: bool = False) -> None:
    with store.partial(digest) as file:
        assert file is not None
        file.write(data)
        if breaks:
            raise OSError("cut")


def test_a_partial_blob_is_completed_by_one_of_many(store: ImageStore) -> None:
    data = bytes(range(256)) * 100
    digest = digest_of(data)
    with pytest.raises(OSError, match="cut"):
        append(store, digest, data[:1000], breaks=True)
    assert not store.has(digest)
    written: list[int] = []

    def complete() -> None:
        with store.partial(digest) as file:
            if file is not None:
                offset = file.seek(0, os.SEEK_END)
                written.append(offset)
                file.write(data[offset:])

    threads = [threading.Thread(target=complete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [1000]
    assert store.has(digest)
    assert files(store) == {digest.removeprefix("sha256:")}


def test_a_partial_blob_with_wrong_bytes_is_dropped(store: ImageStore) -> None:
    digest = digest_of(b"right")
    with pytest.raises(DigestError):
        append(store, digest, b"wrong")
    assert files(store) == set()
