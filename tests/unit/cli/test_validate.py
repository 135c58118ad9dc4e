"""`ingot validate`: every mistake, every file, and the schema."""

import json
from pathlib import Path

import pytest

from ingot.cli.main import run

GOOD = "files: [{path: etc/motd, contents: hello}]\n"
BAD = "files: [{path: etc/motd}]\nunit: []\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_good_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yml").write_text(GOOD)
    assert run(["validate"]) == 0
    assert capsys.readouterr().out == "a.yml is valid\n"


def test_all_mistakes_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yml").write_text(BAD)
    assert run(["validate", "a.yml"]) == 2
    err = capsys.readouterr().err
    assert "a.yml:1:9: " in err
    assert "a.yml:2:1: " in err


def test_several_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yml").write_text(BAD)
    (folder / "b.yml").write_text(GOOD)
    assert run(["validate", "a.yml", "b.yml", "c.yml", "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"status": "success", "path": "b.yml"}
    errors = [json.loads(line)["error"]["slug"] for line in captured.err.splitlines()]
    assert errors == ["usage", "not-found", "usage"]


def test_mistakes_of_components_count(folder: Path, capsys) -> None:
    (folder / "a.yml").write_text("init: [component:mine]\n")
    assert run(["validate", "a.yml"]) == 5
    (folder / "mine").mkdir()
    (folder / "mine" / "component.yml").write_text("packagez: []\n")
    assert run(["validate", "a.yml"]) == 2
    assert "component.yml:1:1: " in capsys.readouterr().err


def test_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Ingot appliance file"


def test_files_are_checked_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("services: [{name: a, image: b/c, depends: [z]}]\n")
    (tmp_path / "b.yml").write_text("services: [{name: z, image: b/c}]\n")
    files = [str(tmp_path / name) for name in ("a.yml", "b.yml")]
    assert run(["validate", "--merge", *files]) == 0
    assert run(["validate", *files]) == 2
