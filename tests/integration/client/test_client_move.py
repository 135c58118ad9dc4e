"""mv against a real server: what arrives, what is gone, and what stays when it must."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.client.copier import Copier


def test_an_object_is_renamed(cli: Any, remote: Any) -> None:
    remote.put("a", b"1", Metadata={"k": "v"})
    result = cli("mv", f"{remote.address}/a", f"{remote.address}/folder/")
    assert (result.code, result.err) == (0, "")
    assert remote.objects() == {"folder/a": b"1"}
    assert remote.head("folder/a")["Metadata"] == {"k": "v"}


def test_files_move_up_and_objects_move_down(cli: Any, remote: Any, tmp_path: Path) -> None:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "a").write_text("1")
    (tmp_path / "src" / "deep" / "b").write_text("2")
    assert cli("mv", "--recursive", "src/", remote.address).code == 0
    assert remote.objects() == {"a": b"1", "deep/b": b"2"}
    assert list((tmp_path / "src").iterdir()) == []
    assert cli("mv", "--recursive", f"{remote.address}/deep/", "down").code == 0
    assert (tmp_path / "down" / "b").read_text() == "2"
    assert remote.objects() == {"a": b"1"}


def test_a_dry_run_moves_nothing(cli: Any, remote: Any) -> None:
    remote.put("a", b"1")
    result = cli("mv", "--dry-run", "--json", f"{remote.address}/a", f"{remote.address}/b")
    assert (result.code, result.documents()[0]["dryRun"]) == (0, True)
    assert remote.objects() == {"a": b"1"}


def test_what_cannot_be_copied_stays(cli: Any, remote: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    assert cli("mv", "a", "s3/no-such-bucket/a").code == 5
    assert (tmp_path / "a").read_text() == "1"
    assert cli("mv", f"{remote.address}/x", f"{remote.address}/x").code == 5
    assert cli("mv", "-", f"{remote.address}/x").code == 2


def test_an_object_under_two_aliases_is_not_lost(
    cli: Any, remote: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = f"{server.access_key}:{server.secret_key}"
    monkeypatch.setenv("MC_HOST_same", f"http://{keys}@localhost:{server.port}")
    remote.put("a", b"precious")
    result = cli("mv", f"{remote.address}/a", f"same/{remote.bucket}/a")
    assert result.code == 6
    assert "may be the same object" in result.err
    assert remote.objects() == {"a": b"precious"}
    assert cli("mv", f"{remote.address}/a", f"same/{remote.bucket}/b").code == 0
    assert remote.objects() == {"b": b"precious"}


@pytest.mark.parametrize("kind", ["file", "object"])
def test_a_source_that_changes_meanwhile_stays(
    cli: Any, remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    begin = Copier.begin

    def begin_and_interfere(*arguments: Any, **options: Any) -> Callable[[], None]:
        finish = begin(*arguments, **options)

        def finish_and_interfere() -> None:
            finish()
            (tmp_path / "a").write_text("newer")
            remote.put("a", b"newer")

        return finish_and_interfere

    monkeypatch.setattr(Copier, "begin", begin_and_interfere)
    (tmp_path / "a").write_text("1")
    remote.put("a", b"1")
    source = "a" if kind == "file" else f"{remote.address}/a"
    result = cli("mv", source, f"{remote.address}/b")
    assert result.code == 6
    assert "changed while it was moved; it stays" in result.err
    assert (tmp_path / "a").read_text() == "newer"
    assert remote.objects() == {"a": b"newer", "b": b"1"}


def test_what_was_moved_is_not_replaced_by_what_is_moved_next(
    cli: Any, remote: Any, tmp_path: Path
) -> None:
    names = ["one/x/f", "two/x/f", "two/x/g", "single/f"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for target in (remote.address, "there"):
        for words in (["one/x", "two/x"], ["one/x/", "two/x/"], ["one/x/", "single/f"]):
            result = cli("mv", "--recursive", *words, f"{target}/")
            assert (result.code, "would both become" in result.err) == (2, True)
        assert cli("mv", "-r", "--exclude", "f", "one/x/", "two/x/", f"{target}/").code == 0
        (tmp_path / "two/x/g").write_text("two/x/g")
    assert remote.objects() == {"g": b"two/x/g"}
    assert all((tmp_path / name).read_text() == name for name in names)
    assert cli("mv", "-r", "one/x/", "single", remote.address).code == 0
    assert remote.objects().keys() == {"f", "g", "single/f"}
