"""What downloads that were killed leave: nobody's content, and removed by those that follow."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20


@pytest.fixture
def killed(start: Any, remote: Any, bad_line: Any, tmp_path: Path) -> Path:
    """What a command left in a folder when it was killed."""
    bad_line(cut_after_bytes=1 << 40, pause_s=0.02)
    remote.put("in/big", bytes(60 * MIB))
    target = tmp_path / "dst"
    run = start("mirror", f"bad-line/{remote.bucket}/in/", target)
    run.wait_for(lambda: target.exists() and os.listdir(target), "the download has begun")
    assert run.stop(signal.SIGKILL) == -signal.SIGKILL
    (name,) = os.listdir(target)
    remote.delete("in/big")
    remote.put("in/small", b"1")
    return target / name


@pytest.mark.parametrize(
    "command", [("mirror", "in/", ""), ("cp", "in/small", "/"), ("get", "in/small", "/small")]
)
def test_leftovers_are_never_uploaded_and_removed_when_they_are_old(
    killed: Path,
    command: tuple[str, str, str],
    cli: Any,
    remote: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = killed.parent
    for upload in (("mirror",), ("cp", "-r")):
        assert cli(*upload, f"{target}/", f"{remote.address}/out/").code == 0
    assert remote.objects("out/") == {}

    verb, source, below = command
    words = (verb, f"{remote.address}/{source}", f"{target}{below}")
    assert cli(*words).code == 0
    assert {killed.name, "small"} == set(os.listdir(target))  # it is young
    monkeypatch.setenv("INGOT_LEFTOVER_AGE", "0s")
    if verb != "get":
        assert cli(*words, "--dry-run").code == 0
        assert {killed.name, "small"} == set(os.listdir(target))
    assert cli(*words).code == 0
    assert os.listdir(target) == ["small"]


def test_copies_of_folders_tidy_the_folders_that_they_write_to(
    cli: Any, remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGOT_LEFTOVER_AGE", "0s")
    name = ".x.0123456789ab.tmp"
    target = tmp_path / "dst"
    for folder in ("a/b", "a", "other"):
        (target / folder).mkdir(parents=True, exist_ok=True)
        (target / folder / name).write_bytes(b"half")
    remote.put_all({"in/a/b/x": b"1", "in/a/c": b"2", "in/a/d/x": b"3", "in/e": b"4"})
    assert cli("cp", "-r", f"{remote.address}/in/", target).code == 0
    left = [path.relative_to(target).as_posix() for path in target.rglob(name)]
    assert [f"other/{name}"] == left
    assert cli("mirror", f"{remote.address}/in/", target).code == 0
    assert list(target.rglob(name)) == []


def test_an_object_with_the_name_of_an_unfinished_download_is_refused(
    cli: Any, remote: Any, tmp_path: Path
) -> None:
    remote.put_all({".x.0123456789ab.tmp": b"1", "y": b"2"})
    result = cli("mirror", remote.address, tmp_path / "dst")
    assert result.code == 3
    assert "unfinished download" in result.err
    assert os.listdir(tmp_path / "dst") == ["y"]
