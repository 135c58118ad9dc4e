"""A registry whose blobs are kept by our own S3 server: the two halves of the product meet."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from ingot.cli.main import run
from ingot.oci.digest import digest_of
from ingot.oci.endpoints import RegistryOptions
from ingot.oci.manifest import platform_for
from ingot.oci.sources import ImageSources
from ingot.testing.images import SmallImage, index_of, member, push, tar_of, write_layout
from ingot.testing.registries import RunningRegistry, registry

StartRegistry = Callable[[bool], RunningRegistry]


def sources_in(folder: Path) -> ImageSources:
    return ImageSources(cache_dir=folder / "cache", options=RegistryOptions(environment={}))


@pytest.fixture
def store_registry(start_server, new_client, tmp_path) -> Iterator[StartRegistry]:
    """Run a registry that keeps its blobs in our own S3 server; with or without redirections."""
    server = start_server(tmp_path / "data")
    new_client(server).create_bucket(Bucket="registry")
    with contextlib.ExitStack() as stack:

        def start(redirects: bool) -> RunningRegistry:
            storage = {
                "s3": {
                    "accesskey": server.access_key,
                    "secretkey": server.secret_key,
                    "region": "us-east-1",
                    "regionendpoint": server.endpoint,
                    "bucket": "registry",
                    "secure": False,
                    "v4auth": True,
                },
                "redirect": {"disable": not redirects},
            }
            return stack.enter_context(registry(tmp_path / "registry", storage=storage))

        yield start


def test_our_own_store_behind_a_registry(image: SmallImage, store_registry, tmp_path) -> None:
    running = store_registry(False)
    digest = push(running.url, "app:1", [image], {})
    found = sources_in(tmp_path).get(f"{running.name}/app:1", platform_for("amd64"))
    entry = found.tree.get("etc/name")
    assert entry is not None
    assert entry.content is not None
    assert (entry.content.read(), found.digest) == (b"top", digest)


def test_large_layers_through_our_own_store(store_registry, tmp_path: Path, monkeypatch) -> None:
    """Pushed by us in parts that the registry joins; pulled from the store by its signed links."""
    noise = random.Random(2).randbytes(12 << 20)
    images = [
        SmallImage([tar_of(member("noise", noise + arch.encode()))], architecture=arch)
        for arch in ("amd64", "arm64")
    ]
    running = store_registry(True)
    name = f"{running.name}/team/app:1"
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "one"))
    layout = write_layout(tmp_path / "layout", {name: images})
    assert run(["cache", "import", str(layout)]) == 0
    assert run(["pkg", "push", name]) == 0
    layer = next(d for d, data in images[0].blobs().items() if len(data) > 1 << 20)
    place = f"{running.url}/v2/team/app/blobs/{layer}"
    with urllib3.PoolManager() as pool:
        moved = pool.request("GET", place, redirect=False)
    assert moved.status == 307
    assert "X-Amz-Signature=" in moved.headers["Location"]
    sources = sources_in(tmp_path / "two")
    for arch in ("amd64", "arm64"):
        found = sources.get(name, platform_for(arch))
        assert found.digest == digest_of(index_of(*images))
        entry = found.tree.get("noise")
        assert entry is not None
        assert entry.content is not None
        assert entry.content.sha256() == hashlib.sha256(noise + arch.encode()).hexdigest()
