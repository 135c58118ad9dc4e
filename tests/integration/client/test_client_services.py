"""mirror of all buckets of a service: to another service, to a folder, into a bucket."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# What other tests left there.
OTHERS = ("--exclude-bucket", "[!z]*")


@pytest.fixture
def outer(cli: Any, elsewhere: Any) -> Iterator[tuple[Any, str]]:
    """A service with two buckets of a common, new prefix in their names, and that prefix."""
    prefix = f"zz-{secrets.token_hex(4)}"
    for name, key in ((f"{prefix}-a", "x"), (f"{prefix}-b", "d/y")):
        elsewhere.s3.create_bucket(Bucket=name)
        elsewhere.s3.put_object(Bucket=name, Key=key, Body=name.encode())
    yield elsewhere, prefix
    for name in (f"{prefix}-a", f"{prefix}-b"):
        for item in elsewhere.s3.list_objects_v2(Bucket=name).get("Contents", []):
            elsewhere.s3.delete_object(Bucket=name, Key=item["Key"])
        elsewhere.s3.delete_bucket(Bucket=name)


def test_every_bucket_goes_to_one_of_its_name(
    cli: Any, remote: Any, outer: tuple[Any, str]
) -> None:
    _, prefix = outer
    dry = cli("mirror", "--dry-run", *OTHERS, "other", "s3")
    assert dry.code == 0
    assert f"s3/{prefix}-a is not there yet" in dry.err
    done = cli("mirror", *OTHERS, "other", "s3")
    assert (done.code, done.out) == (0, dry.out)
    assert f"other/{prefix}-b/d/y -> s3/{prefix}-b/d/y" in dry.out
    body = remote.s3.get_object(Bucket=f"{prefix}-b", Key="d/y")["Body"].read()
    assert body == f"{prefix}-b".encode()
    again = cli("--json", "mirror", *OTHERS, "other", "s3").documents()[-1]
    assert (again["copied"], again["unchanged"]) == (0, 2)
    planned = cli("--json", "mirror", "--dry-run", *OTHERS, "other", "s3").documents()[-1]
    assert (planned["copied"], planned["unchanged"]) == (0, 2)


def test_buckets_may_become_folders(
    cli: Any, remote: Any, outer: tuple[Any, str], tmp_path: Path, files: Any
) -> None:
    _, prefix = outer
    assert cli("mirror", "--exclude-bucket", "*-b", *OTHERS, "other", "./down").code == 0
    assert files.contents(tmp_path / "down") == {f"{prefix}-a/x": f"{prefix}-a".encode()}
    assert cli("mirror", *OTHERS, "other", f"{remote.address}/all").code == 0
    assert sorted(remote.objects()) == [f"all/{prefix}-a/x", f"all/{prefix}-b/d/y"]


def test_one_bucket_that_fails_does_not_stop_the_others(
    cli: Any, outer: tuple[Any, str], tmp_path: Path
) -> None:
    _, prefix = outer
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / f"{prefix}-a").write_text("a file where a folder is needed")
    done = cli("mirror", *OTHERS, "other", "./down")
    assert done.code == 3
    assert "is not a folder" in done.err
    assert (tmp_path / "down" / f"{prefix}-b" / "d" / "y").exists()


def test_an_empty_bucket_empties_nothing(cli: Any, outer: tuple[Any, str], tmp_path: Path) -> None:
    other, prefix = outer
    assert cli("mirror", *OTHERS, "other", "./down").code == 0
    other.s3.delete_object(Bucket=f"{prefix}-a", Key="x")
    done = cli("mirror", "--remove", *OTHERS, "other", "./down")
    assert done.code == 3
    assert "add --allow-empty-source" in done.err
    assert (tmp_path / "down" / f"{prefix}-a" / "x").exists()
    assert cli("mirror", "--remove", "--allow-empty-source", *OTHERS, "other", "./down").code == 0
    assert not (tmp_path / "down" / f"{prefix}-a" / "x").exists()


def test_changes_of_all_buckets_are_carried_over(
    start: Any, outage: Any, tmp_path: Path, files: Any
) -> None:
    # `outage` has a server of its own, whose buckets are these alone.
    own = outage.remote.s3
    own.put_object(Bucket="mirrored", Key="first", Body=b"1")
    own.create_bucket(Bucket="left-out")
    down = tmp_path / "down"
    watch = start(
        *("mirror", "--watch", "--overwrite", "--remove", "--exclude-bucket", "left*"),
        *("s3", "./down"),
    )
    watch.wait_for_text("watching")
    own.put_object(Bucket="mirrored", Key="d/second", Body=b"2")
    own.put_object(Bucket="left-out", Key="x", Body=b"x")
    own.create_bucket(Bucket="made-later")
    own.put_object(Bucket="made-later", Key="third", Body=b"3")
    expected = {"mirrored/first": b"1", "mirrored/d/second": b"2", "made-later/third": b"3"}
    watch.wait_for(lambda: files.contents(down) == expected, "new objects arrive")
    own.put_object(Bucket="mirrored", Key="first", Body=b"11")
    own.delete_object(Bucket="mirrored", Key="d/second")
    expected = {"mirrored/first": b"11", "made-later/third": b"3"}
    watch.wait_for(lambda: files.contents(down) == expected, "changes arrive")
    # A bucket that goes away takes nothing with it.
    own.delete_object(Bucket="made-later", Key="third")
    own.delete_bucket(Bucket="made-later")
    own.put_object(Bucket="mirrored", Key="last", Body=b"4")
    watch.wait_for((down / "mirrored" / "last").exists, "later changes arrive")
    assert watch.stop() == 143
    assert "error" not in watch.log()


def test_an_outage_is_waited_out(start: Any, outage: Any, tmp_path: Path) -> None:
    outage.remote.put("first", b"1")
    watch = start("mirror", "--active-active", "s3", "./down")
    watch.wait_for_text("watching")
    outage.kill()
    outage.restart()
    outage.remote.put("second", b"2")
    watch.wait_for((tmp_path / "down" / "mirrored" / "second").exists, "it goes on")
    assert watch.stop() == 143


def test_a_service_that_is_away_at_the_beginning_ends_it(cli: Any, outage: Any) -> None:
    outage.kill()
    assert cli("mirror", "--watch", "s3", "./down").code == 7
