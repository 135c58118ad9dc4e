"""`ingot cache`: what it prints, and how it refuses."""

import json
from pathlib import Path

import pytest

from ingot.cli.main import run
from ingot.oci.digest import digest_of
from ingot.testing.images import SmallImage, member, tar_of, write_layout

IMAGE = SmallImage([tar_of(member("etc/name", b"app"))])


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "layout", {"app:1": [IMAGE]})


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_image_comes_goes_and_is_freed(layout: Path, tmp_path: Path, capsys) -> None:
    assert run(["cache", "import", str(layout)]) == 0
    assert capsys.readouterr().out == "docker.io/library/app:1\n"
    assert run(["cache", "ls", "--json"]) == 0
    (row,) = lines(capsys)
    assert row["name"] == "docker.io/library/app:1"
    assert row["digest"] == digest_of(IMAGE.manifest())
    assert row["platforms"] == ["linux/amd64"]
    assert run(["cache", "ls"]) == 0
    assert "docker.io/library/app:1  sha256:" in capsys.readouterr().out
    assert run(["cache", "export", "app:1", str(tmp_path / "app.tar"), "--json"]) == 0
    (row,) = lines(capsys)
    assert row["size"] == (tmp_path / "app.tar").stat().st_size
    assert run(["cache", "rm", "app:1"]) == 0
    capsys.readouterr()
    assert run(["cache", "gc", "--grace", "0", "--json"]) == 0
    (row,) = lines(capsys)
    assert row["files"] == 3
    assert run(["cache", "ls"]) == 0
    assert capsys.readouterr().out == ""


def test_a_name_of_its_own(layout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "import", str(layout), "--name", "r.example/x"]) == 0
    assert capsys.readouterr().out == "r.example/x:latest\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["rm", "app:1"], 5),
        (["export", "app:1", "x.tar"], 5),
        (["export", "App", "x.tar"], 2),
        (["import", "missing"], 2),
        (["pull", "--registry-mirror", "a=ftp://b", "app"], 2),
    ],
)
def test_exit_codes(arguments: list[str], code: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["cache", *arguments]) == code
    assert not (tmp_path / "x.tar").exists()
