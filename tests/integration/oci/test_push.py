"""Images go to a real registry and come back as they were."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import urllib3

from ingot.base.errors import DeniedError, NotFoundError, UsageError
from ingot.base.progress import SILENT
from ingot.cli.main import run
from ingot.oci.channel import Channel
from ingot.oci.digest import digest_of
from ingot.oci.endpoints import RegistryOptions
from ingot.oci.manifest import Descriptor, platform_for
from ingot.oci.pull import pull
from ingot.oci.push import push
from ingot.oci.reference import parse_reference
from ingot.oci.registry import RegistryClient
from ingot.oci.store import ImageStore
from ingot.oci.transfer import describe, import_images
from ingot.testing.images import SmallImage, index_of, write_layout
from ingot.testing.registries import RunningRegistry

NAME = "docker.io/library/app:1"
OPTIONS = RegistryOptions(environment={})


@pytest.fixture
def store(tmp_path: Path, image: SmallImage, arm: SmallImage) -> ImageStore:
    made = ImageStore(tmp_path / "cache")
    write_layout(tmp_path / "one", {"app:1": [image]})
    write_layout(tmp_path / "two", {"both:1": [image, arm]})
    import_images(tmp_path / "one", None, made)
    import_images(tmp_path / "two", None, made)
    return made


def fresh(running: RunningRegistry) -> str:
    return f"{running.name}/team/app-{secrets.token_hex(4)}:1"


def pushed(
    name: str, target: str, store: ImageStore, options: RegistryOptions = OPTIONS
) -> Descriptor:
    with Channel(options) as channel:
        reference = parse_reference(target)
        return push(name, reference, channel=channel, store=store, progress=SILENT)


def pulled(target: str, folder: Path, options: RegistryOptions = OPTIONS) -> ImageStore:
    store = ImageStore(folder)
    with RegistryClient(options) as client:
        reference = parse_reference(target)
        pull(reference, None, client=client, store=store, progress=SILENT)
    return store


def test_an_image_comes_back(shared, store: ImageStore, image: SmallImage, tmp_path) -> None:
    target = fresh(shared)
    root = pushed(NAME, target, store)
    assert root.digest == digest_of(image.manifest())
    (found,) = describe(pulled(target, tmp_path / "other"))
    assert (found.name, found.digest) == (target, root.digest)


def test_an_index_comes_back_with_all_platforms(shared, store, image, arm, tmp_path) -> None:
    target = fresh(shared)
    root = pushed("docker.io/library/both:1", target, store)
    assert root.digest == digest_of(index_of(image, arm))
    (found,) = describe(pulled(target, tmp_path / "other"))
    assert found.platforms == ("linux/amd64", "linux/arm64")


def test_what_is_there_is_not_sent_again(shared, store: ImageStore, image, tmp_path) -> None:
    target = fresh(shared)
    pushed(NAME, target, store)
    # Without the layers a second push can only work if it sends none.
    other = ImageStore(tmp_path / "other")
    write_layout(tmp_path / "three", {"app:1": [image]})
    import_images(tmp_path / "three", None, other)
    for path in (other.root / "blobs/sha256").iterdir():
        if path.stat().st_size > 100_000:
            path.unlink()
    assert pushed(NAME, target, other).digest == digest_of(image.manifest())


def test_an_index_of_which_a_part_is_missing(shared, store, image, arm, tmp_path: Path) -> None:
    target = fresh(shared)
    pushed("docker.io/library/both:1", target, store)
    other = ImageStore(tmp_path / "other")
    with RegistryClient(OPTIONS) as client:
        reference = parse_reference(target)
        amd64 = platform_for("amd64")
        pull(reference, amd64, client=client, store=other, progress=SILENT)
    with pytest.raises(NotFoundError) as caught:
        pushed(target, fresh(shared), other)
    assert caught.value.hint == f"fetch the others: ingot cache pull --all {target}"


def test_what_cannot_be_pushed(shared: RunningRegistry, store: ImageStore) -> None:
    with pytest.raises(NotFoundError):
        pushed("docker.io/library/none:1", fresh(shared), store)
    with pytest.raises(UsageError):
        pushed(NAME, f"{fresh(shared)}@sha256:{'0' * 64}", store)


def test_logins_are_needed_to_push(store: ImageStore, login_registry, tmp_path: Path) -> None:
    running, environment = login_registry
    target = fresh(running)
    with pytest.raises(DeniedError):
        pushed(NAME, target, store)
    options = RegistryOptions(environment=environment)
    pushed(NAME, target, store, options)
    assert describe(pulled(target, tmp_path / "other", options))


def test_the_command(shared, store: ImageStore, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("INGOT_CACHE_DIR", str(store.cache_dir))
    monkeypatch.setenv("HOME", str(tmp_path))
    target = fresh(shared)
    assert run(["pkg", "push", "app:1", target]) == 0
    assert capsys.readouterr().out.startswith(f"{target}  sha256:")
    tags = urllib3.request("GET", f"{shared.url}/v2/{target.split('/', 1)[1][:-2]}/tags/list")
    assert tags.json()["tags"] == ["1"]
    assert run(["cache", "pull", "--all", target]) == 0
