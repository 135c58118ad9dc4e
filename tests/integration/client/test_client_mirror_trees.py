"""Random trees on both sides, over a real server: a mirror converges, its second run is idle."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingot.base.progress import SILENT
from ingot.base.secret import Secret
from ingot.client.addresses import Address, LocalAddress, RemoteAddress
from ingot.client.aliases import Alias
from ingot.client.connections import Connections
from ingot.client.copier import Copier
from ingot.client.copying import open_pair
from ingot.client.digests import ContentDigests
from ingot.client.entries import Entry, Selection
from ingot.client.events import Copied, Event, Failed, Removed, Unchanged
from ingot.client.execute import Conduct
from ingot.client.localtree import LocalTree
from ingot.client.mirror import Mirror
from ingot.testing.clock import FakeClock

# Names around the slash, so that a walk that sorts by folder is out of the keys' order, and names
# that need encoding on the way.
_SEGMENTS = st.sampled_from(
    ["a", "a-b", "a.b", "a!", "a0", "b", "é", "\U0001f600", "%2F", "x&<+ y"]
)
_NAMES = st.lists(_SEGMENTS, min_size=1, max_size=3).map("/".join)
# Few bodies, so that sides agree often; equal sizes with other bytes; one beyond what is inlined.
_BODIES = st.sampled_from([b"", b"0", b"1", b"2" * 5000, b"3" * 5000, b"4" * 70_000])
_TREES = st.dictionaries(_NAMES, _BODIES, max_size=12)
# An empty prefix is not there, and a source must be.
_SOME = st.dictionaries(_NAMES, _BODIES, min_size=1, max_size=12)
_EXAMPLES = 25


def as_files(tree: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out what a file system cannot hold: anything below a file."""
    kept: dict[str, bytes] = {}
    for name in sorted(tree):
        parents = name.split("/")[:-1]
        if not any("/".join(parents[: end + 1]) in kept for end in range(len(parents))):
            kept[name] = tree[name]
    return kept


class World:
    """A bucket of the shared server and a folder, both emptied between examples."""

    def __init__(self, server: Any, s3: Any, bucket: str) -> None:
        self.alias = Alias(
            name="s3",
            url=server.endpoint,
            access_key=server.access_key,
            secret_key=Secret(server.secret_key),
        )
        self.s3 = s3
        self.bucket = bucket
        self.connections = Connections()

    def remote(self, prefix: str) -> RemoteAddress:
        return RemoteAddress(self.alias, self.bucket, prefix)

    def put(self, prefix: str, tree: dict[str, bytes]) -> None:
        client = self.connections.client(self.alias)
        for key in self.objects(prefix):
            client.delete_object(self.bucket, prefix + key)
        for name, body in tree.items():
            client.put_object(self.bucket, prefix + name, body)

    def objects(self, prefix: str) -> dict[str, bytes]:
        client = self.connections.client(self.alias)
        found = {}
        for entry in client.iterate_objects(self.bucket, prefix=prefix):
            with client.get_object(self.bucket, entry.key) as stream:
                found[entry.key[len(prefix) :]] = b"".join(stream)
        return found

    def mirror(self, source: Address, target: Address) -> list[Event]:
        copier = Copier(self.connections, ContentDigests(FakeClock()))
        pair = open_pair(
            source, target, self.connections, copier, selection=Selection(), follow_links=False
        )
        job = Mirror(pair, Conduct(overwrite=True), remove=True, progress=SILENT)
        return list(job.run())


def write(root: Path, tree: dict[str, bytes]) -> None:
    for name, body in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def read(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def check(world: World, source: Address, target: Address, wanted: dict[str, bytes]) -> None:
    """Mirror twice: all goes well, and the second time there is nothing to do."""
    failures = [event for event in world.mirror(source, target) if isinstance(event, Failed)]
    assert failures == []
    again = world.mirror(source, target)
    assert len(again) == len(wanted)
    assert all(isinstance(event, Unchanged) for event in again), again


@pytest.fixture(scope="module")
def world(server: Any, s3: Any) -> Any:
    bucket = "mirrored-trees"
    s3.create_bucket(Bucket=bucket)
    world = World(server, s3, bucket)
    yield world
    world.connections.close()


@pytest.fixture
def folder() -> Any:
    # Not tmp_path: a property's examples share it.
    root = Path(tempfile.mkdtemp())
    yield root
    shutil.rmtree(root)


@settings(max_examples=_EXAMPLES)
@given(source=_TREES.map(as_files), target=_TREES)
def test_a_bucket_becomes_like_a_folder(
    world: World, source: dict[str, bytes], target: dict[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), source)
        world.put("up/", target)
        check(world, LocalAddress(Path(root)), world.remote("up/"), source)
    assert world.objects("up/") == source


@settings(max_examples=_EXAMPLES)
@given(source=_SOME.map(as_files), target=_TREES.map(as_files))
@example(source={"a": b"1"}, target={"a/b": b"1"})
@example(source={"a/b": b"1"}, target={"a": b"1"})
def test_a_folder_becomes_like_a_bucket(
    world: World, source: dict[str, bytes], target: dict[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), target)
        world.put("down/", source)
        check(world, world.remote("down/"), LocalAddress(Path(root)), source)
        assert read(Path(root)) == source


@settings(max_examples=_EXAMPLES)
@given(source=_SOME, target=_TREES)
def test_a_prefix_becomes_like_another(
    world: World, source: dict[str, bytes], target: dict[str, bytes]
) -> None:
    world.put("from/", source)
    world.put("to/", target)
    check(world, world.remote("from/"), world.remote("to/"), source)
    assert world.objects("to/") == source


@settings(max_examples=_EXAMPLES)
@given(source=_TREES.map(as_files), target=_TREES.map(as_files))
@example(source={"a": b"1"}, target={"a/b": b"1"})
@example(source={"a/b": b"1"}, target={"a": b"1"})
def test_a_folder_becomes_like_another(
    world: World, source: dict[str, bytes], target: dict[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        one, other = Path(root, "one"), Path(root, "other")
        one.mkdir()
        write(one, source)
        write(other, target)
        check(world, LocalAddress(str(one)), LocalAddress(str(other)), source)
        assert read(other) == source


@given(tree=_TREES.map(as_files))
def test_a_folder_is_walked_in_the_order_of_keys(tree: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as root:
        write(Path(root), tree)
        walked = [item.name for item in LocalTree(Path(root)).entries() if isinstance(item, Entry)]
    assert walked == sorted(tree, key=str.encode)


def test_only_what_changed_moves(world: World, folder: Path) -> None:
    write(folder, {"kept": b"1", "changed": b"2", "new": b"3"})
    world.put("some/", {"kept": b"1", "changed": b"9", "old": b"4"})
    events = world.mirror(LocalAddress(folder), world.remote("some/"))
    kinds = {
        kind: sum(isinstance(event, kind) for event in events)
        for kind in (Unchanged, Copied, Removed)
    }
    assert kinds == {Unchanged: 1, Copied: 2, Removed: 1}
