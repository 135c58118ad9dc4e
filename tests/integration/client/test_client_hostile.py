"""Keys, links and folders that lead elsewhere: nothing outside of a target is read or touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_deletion_in_a_bucket_reaches_nothing_outside_of_the_target(
    start: Any, remote: Any, tmp_path: Path
) -> None:
    outside, target = tmp_path / "outside", tmp_path / "dst"
    outside.write_text("precious")
    remote.put("../outside", b"x")
    remote.put("kept", b"1")
    watch = start("mirror", "--watch", "--overwrite", "--remove", remote.address, target)
    watch.wait_for_text("watching")
    remote.delete("../outside")
    # What was told of the first is done with when the second one's turn has come and gone.
    for name in ("b", "c"):
        remote.put(name, b"2")
        watch.wait_for((target / name).exists, "a later change arrives")
    assert outside.read_text() == "precious"
    assert watch.stop() == 143


def test_names_that_no_file_can_have_do_not_end_a_mirror(
    cli: Any, remote: Any, tmp_path: Path
) -> None:
    source = tmp_path / "src"
    (source / "a").mkdir(parents=True)
    (source / "a" / "b").write_text("1")
    # The last is what `a/b` would be too, to a file system.
    names = ["k" * 300, "../src/a/b", "/a/b", "a//b"]
    for name in names:
        remote.put(name, b"x")
    done = cli("--json", "mirror", "--remove", source, remote.address)
    assert done.code == 0, done.err
    assert done.documents()[-1]["removed"] == len(names)
    assert remote.objects() == {"a/b": b"1"}


def test_a_name_that_is_no_key_does_not_end_a_watch(
    start: Any, remote: Any, tmp_path: Path
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    watch = start("mirror", "--watch", source, remote.address)
    watch.wait_for_text("watching")
    deep = source.joinpath(*["d" * 200] * 6)
    deep.mkdir(parents=True)
    (deep / "x").write_text("1")
    watch.wait_for_text("S3 allows 1024")
    (deep / "x").write_text("2")
    (source / "last").write_text("3")
    watch.wait_for(lambda: remote.objects() == {"last": b"3"}, "a later change arrives")
    assert watch.stop() == 143


def test_a_folder_of_itself_under_another_alias_is_refused(
    cli: Any, remote: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = f"{server.access_key}:{server.secret_key}"
    monkeypatch.setenv("MC_HOST_again", f"http://{keys}@127.0.0.1:{server.port}")
    remote.put("a", b"1")
    done = cli("mirror", remote.address, f"again/{remote.bucket}/copy")
    assert (done.code, "lie in one another" in done.err) == (2, True)
    assert remote.objects() == {"a": b"1"}
