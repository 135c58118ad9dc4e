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
    assert cli("mirror", *OTHERS, "other", "s3").code == 0
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


def test_a_service_is_not_watched(cli: Any, outer: tuple[Any, str]) -> None:
    assert cli("mirror", "--watch", *OTHERS, "other", "./down").code == 2
