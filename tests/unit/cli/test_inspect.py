"""`ingot inspect` and `ingot compare` on builds of foreign images."""

import json
from pathlib import Path

import pytest

from ingot.cli.main import run
from ingot.testing.images import SmallImage, member, tar_of, write_layout


def status(version: str) -> bytes:
    return f"Package: lib\nStatus: install ok installed\nVersion: {version}\n".encode()


@pytest.fixture
def appliance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "cache"))
    for number in (1, 2):
        files = [member("var/lib/dpkg/status", status(f"{number}.0"))]
        files += [member("etc/os-release", b"ID=debian\nVERSION_CODENAME=bookworm\n")]
        files += [member("bin/app", b"app" * number, mode=0o755)]
        files += [member(f"only-{number}", b"x")]
        write_layout(tmp_path / f"layout{number}", {"app:1": [SmallImage([tar_of(*files)])]})
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "box.yml").write_text(f'init: ["oci:../layout{number}"]\n')
        arguments = [f"{number}/box.yml", "--dir", f"{number}", "--format", "tar"]
        assert run(["build", *arguments, "--arch", "amd64", "--offline"]) == 0
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_build_and_its_file_say_the_same(appliance: Path, capsys) -> None:
    capsys.readouterr()
    assert run(["inspect", "1/box", "--packages", "--files", "--json"]) == 0
    built = lines(capsys)
    outputs = [row for row in built if row["type"] == "output"]
    assert [row["role"] for row in outputs] == ["tar", "contents", "sbom"]
    command = ["inspect", "1/box.yml", "--packages", "--files", "--json"]
    assert run([*command, "--arch", "amd64", "--offline"]) == 0
    planned = lines(capsys)
    assert planned == [row for row in built if row["type"] != "output"]
    (package,) = [row for row in planned if row["type"] == "package"]
    assert (package["kind"], package["name"], package["version"]) == ("deb", "lib", "1.0")
    paths = [row["path"] for row in planned if row["type"] == "file"]
    assert {"bin/app", "only-1", "sbom.spdx.json"} <= set(paths)
    assert planned[-1]["type"] == "total"
    assert planned[-1]["files"] == len(paths)


def test_the_text_of_an_inspection(appliance: Path, capsys) -> None:
    capsys.readouterr()
    assert run(["inspect", "1/box", "--packages", "--files"]) == 0
    out = capsys.readouterr().out
    assert "output   box.tar  " in out
    assert "image    oci:../layout1  sha256:" in out
    assert "package  deb  lib  1.0  oci:../layout1\n" in out
    assert "file     file 0755          3  /bin/app\n" in out
    assert "total    box amd64: " in out


def test_what_changed(appliance: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["compare", "1/box", "2/box"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "~ package deb lib  1.0 → 2.0" in out
    assert [line.split()[2] for line in out if line.startswith("+ file")] == ["only-2"]
    assert [line.split()[2] for line in out if line.startswith("- file")] == ["only-1"]
    (changed,) = [line for line in out if line.startswith("~ file bin/app")]
    assert "size=3 sha256digest=" in changed
    assert "mode" not in changed


def test_the_exit_code_tells_if_it_is_asked_to(appliance: Path, capsys) -> None:
    assert run(["compare", "--exit-code", "1/box", "2/box"]) == 1
    assert run(["compare", "--exit-code", "1/box", "1/box"]) == 0
    capsys.readouterr()
    assert run(["compare", "--json", "1/box", "2/box"]) == 0
    kinds = {row["kind"] for row in lines(capsys)}
    assert kinds == {"image", "package", "file"}


def test_diff_knows_builds_from_folders(appliance: Path, capsys) -> None:
    capsys.readouterr()
    assert run(["compare", "1/box", "2/box"]) == 0
    told = capsys.readouterr().out
    assert run(["diff", "1/box", "2/box"]) == 1
    assert capsys.readouterr().out == told
    assert run(["diff", "1/box", "1/box"]) == 0


def test_advisories_of_a_build_and_of_its_file(appliance: Path, capsys) -> None:
    rows = {"lib": {"CVE-1": {"releases": {"bookworm": {"status": "open", "urgency": "high"}}}}}
    Path("debian.json").write_text(json.dumps(rows))
    capsys.readouterr()
    for what in ("1/box", "1/box.yml", "1/box.spdx.json"):
        command = ["vulns", what, "--advisories", "debian.json", "--arch", "amd64", "--offline"]
        assert run([*command, "--json"]) == 0
        (row,) = lines(capsys)
        assert (row["identifier"], row["package"], row["version"]) == ("CVE-1", "lib", "1.0")
        assert (row["severity"], row["images"]) == ("high", ["oci:../layout1"])
        assert run([*command, "--exit-code"]) == 1
        out = capsys.readouterr().out
        assert out == "high     CVE-1  lib 1.0  no fix yet  in oci:../layout1\n"
        assert run([*command, "--exit-code", "--ignore", "CVE-1"]) == 0
        assert "0 advisories hold for the 1 packages" in capsys.readouterr().err


def test_a_build_that_is_not_there(tmp_path: Path) -> None:
    assert run(["inspect", str(tmp_path / "none")]) == 5
    assert run(["compare", str(tmp_path / "none"), str(tmp_path / "none")]) == 5
