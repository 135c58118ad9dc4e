"""ingot.lock: what it pins, when it applies, and that equal locks are equal files."""

from pathlib import Path

import pytest

from ingot.base.errors import UsageError
from ingot.debian.index import Package
from ingot.debian.lock import Lock

LIB = Package("lib", "2", "amd64", "bookworm", "pool/lib.deb", 9, "a" * 64, "libc6", "x (= 1)")
APP = Package("app", "1", "all", "bookworm-security", "pool/app.deb", 8, "b" * 64)
WANTED = (["app"], ["perl*"], [])


def test_pins_come_back_as_they_were(tmp_path: Path) -> None:
    lock = Lock()
    assert not lock.changed
    lock.pin_closure("store", "amd64", WANTED, [APP, LIB])
    lock.pin_wheel("x-1-py3-none-any.whl", "c" * 64)
    assert lock.changed
    lock.save(tmp_path / "ingot.lock")
    assert not lock.changed
    again = Lock.load(tmp_path / "ingot.lock")
    assert again.packages("amd64") == {"app": APP, "lib": LIB}
    assert again.packages("arm64") == {}
    assert again.closure("store", "amd64", WANTED) == ["app", "lib"]
    assert again.wheels() == {"x-1-py3-none-any.whl": "c" * 64}


def test_a_closure_counts_only_for_the_same_wishes() -> None:
    lock = Lock()
    lock.pin_closure("store", "amd64", WANTED, [APP])
    assert lock.closure("store", "amd64", (["app", "more"], ["perl*"], [])) == []
    assert lock.closure("other", "amd64", WANTED) == []
    assert lock.closure("store", "arm64", WANTED) == []


def test_equal_locks_are_equal_files(tmp_path: Path) -> None:
    one, two = Lock(), Lock()
    one.pin_closure("a", "amd64", WANTED, [APP, LIB])
    one.pin_closure("b", "amd64", WANTED, [LIB])
    two.pin_closure("b", "amd64", WANTED, [LIB])
    two.pin_closure("a", "amd64", WANTED, [APP, LIB])
    one.save(tmp_path / "one")
    two.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_pinning_the_same_wheel_again_changes_nothing() -> None:
    lock = Lock()
    lock.pin_wheel("w", "c" * 64)
    lock.changed = False
    lock.pin_wheel("w", "c" * 64)
    assert not lock.changed


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert Lock.load(tmp_path / "none").packages("amd64") == {}


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"schema": 99}', b'{"schema": 1, "packages": 3}', b'{"images": {"\xff": ""}}'],
)
def test_what_is_no_lock_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "ingot.lock").write_bytes(data)
    with pytest.raises(UsageError):
        Lock.load(tmp_path / "ingot.lock")


def test_images_are_pinned_and_forgotten(tmp_path: Path) -> None:
    lock = Lock()
    lock.pin_image("alpine:3", "sha256:1")
    lock.save(tmp_path / "ingot.lock")
    again = Lock.load(tmp_path / "ingot.lock")
    assert again.image("alpine:3") == "sha256:1"
    assert again.image("alpine:4") is None
    again.pin_image("alpine:3", "sha256:1")
    assert not again.changed
    again.forget_image("alpine:3")
    assert again.changed
    assert again.image("alpine:3") is None


def test_a_forgotten_closure_leaves_the_packages_of_others() -> None:
    lock = Lock()
    lock.pin_closure("a", "amd64", WANTED, [APP])
    lock.pin_closure("b", "amd64", WANTED, [LIB])
    lock.forget_closure("a")
    assert lock.packages("amd64") == {"lib": LIB}
    assert lock.closure("a", "amd64", WANTED) == []
    assert lock.closure("b", "amd64", WANTED) == ["lib"]
