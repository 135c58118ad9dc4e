"""`ingot build`: which file it takes, what its options refuse."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingot.base.errors import NotFoundError, UsageError
from ingot.cli.main import ingot


def build(*arguments: str) -> None:
    CliRunner().invoke(ingot, ["build", *arguments], catch_exceptions=False, standalone_mode=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_there_must_be_one(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no \.yml file"):
        build()


def test_without_a_name_there_must_be_only_one(folder: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (folder / name).write_text("init: []\n")
    with pytest.raises(UsageError, match=r"there are 2 \.yml files here: a\.yml, b\.yml"):
        build()


def test_the_only_file_is_taken(folder: Path) -> None:
    (folder / "only.yml").write_text("unit: []\n")
    with pytest.raises(UsageError, match=r"only.yml:1:1: unit: 'unit' is not known here"):
        build()


def test_a_missing_file_is_not_found() -> None:
    with pytest.raises(NotFoundError, match=r"absent\.yml does not exist"):
        build("absent.yml")


def test_formats_may_be_listed_with_commas(folder: Path) -> None:
    (folder / "a.yml").write_text("init: []\n")
    with pytest.raises(UsageError, match="there is no output format 'floppy'"):
        build("a.yml", "--format", "tar,floppy")


def test_an_empty_appliance_is_written_and_reported(folder: Path) -> None:
    (folder / "a.yml").write_text("files: [{path: etc/motd, contents: hello}]\n")
    result = CliRunner().invoke(
        ingot, ["build", "a.yml", "--format", "tar", "--dir", "out", "--json"]
    )
    assert result.exit_code == 0, result.output
    assert '"role": "tar", "path": "out/a.tar"' in result.output
    assert (folder / "out" / "a.tar").is_file()


def test_files_are_merged_and_shown_without_building(folder: Path) -> None:
    (folder / "a.yml").write_text("# one\ninit: [a/b]\nservices: [{name: web, image: c/d}]\n")
    later = "services: [{name: web, override: true, env: [A=1]}]\n"
    result = CliRunner().invoke(ingot, ["build", "--dry-run", "a.yml", "-"], input=later)
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "init:\n- a/b\nservices:\n- name: web\n  image: c/d\n  env:\n  - A=1\n"
    )
    assert [path.name for path in folder.iterdir()] == ["a.yml"]


def test_what_has_no_effect_is_said_whatever_the_output(folder: Path) -> None:
    (folder / "a.yml").write_text("trust: {org: [linuxkit]}\nfiles: [{path: tmp/x, contents: y}]\n")
    result = CliRunner().invoke(ingot, ["build", "a.yml", "--format", "tar", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    first, second = [json.loads(line) for line in result.stderr.splitlines()]
    assert first["status"] == "warning"
    assert first["message"].startswith("a.yml:1:8: trust: signatures of linuxkit are not checked")
    assert second["message"].startswith("files: /tmp/x will not be there")


def test_the_file_s_own_formats_are_built_unless_others_are_named(folder: Path) -> None:
    (folder / "a.yml").write_text(
        "files: [{path: etc/motd, contents: hello}]\noutputs: [{format: tar}]\n"
    )
    runner = CliRunner()
    assert runner.invoke(ingot, ["build", "a.yml", "--dir", "out"]).exit_code == 0
    assert (folder / "out" / "a.tar").is_file()
    with pytest.raises(UsageError, match="there is no output format 'floppy'"):
        build("a.yml", "--format", "floppy")


def test_an_address_without_its_digest_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"http://127.0.0.1:1/a.yml has no digest"):
        build("http://127.0.0.1:1/a.yml", "--dir", "out")
