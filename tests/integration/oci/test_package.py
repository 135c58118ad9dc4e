"""Components become images that are the component, byte for byte the same every time."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.appliance.package import list_components, package_component
from ingot.appliance.packagetags import package_reference
from ingot.base.errors import UsageError
from ingot.cli.main import run
from ingot.debian.component import build_component
from ingot.debian.session import ArchiveOptions, Session
from ingot.oci.manifest import platform_for
from ingot.oci.sources import ImageSources
from ingot.oci.store import ImageStore
from ingot.oci.transfer import describe
from ingot.testing.debs import SigningKey, SmallArchive

COMPONENT = """\
packages: [app]
files: [{path: etc/app.conf, contents: "port = 1", mode: 600, uid: 7}]
config:
  entrypoint: [/usr/bin/app]
  env: [A=b]
  user: "7"
  labels: {org.mobyproject.config: {readonly: true}}
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallArchive]:
    with SigningKey() as key:
        made = SmallArchive(tmp_path_factory.mktemp("mirror"), key)
        made.add("app", "1.0-1", {"usr/bin/app": b"#!/bin/sh\n", "usr/bin/same": b"#!/bin/sh\n"})
        for arch in ("amd64", "arm64"):
            made.add(
                "tool",
                "2.0-1",
                {"usr/bin/tool": f"#!/bin/sh\n# {arch}\n".encode()},
                architecture=arch,
            )
        made.publish()
        yield made


@pytest.fixture
def component(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "component.yml").write_text(COMPONENT)
    return folder


def session_in(cache_dir: Path, archive: SmallArchive, component: Path) -> Session:
    options = ArchiveOptions(mirror=f"file://{archive.root}", keyring=archive.keyring())
    return Session(options=options, lock_path=component / "ingot.lock", cache_dir=cache_dir)


def test_the_image_is_the_component(archive, component: Path, tmp_path: Path) -> None:
    session = session_in(tmp_path / "cache", archive, component)
    name, digest, tagged = package_component(component, ["amd64"], None, session)
    assert name == "localhost/web:latest"
    assert tagged == package_reference(component)
    assert tagged.startswith("localhost/web:")
    assert (component / "ingot.lock").is_file()
    built = build_component(component, arch="amd64", session=session)
    sources = ImageSources(cache_dir=tmp_path / "cache", offline=True)
    found = sources.get("localhost/web", platform_for("amd64"))
    assert found.digest == digest
    assert found.tree.digest() == built.tree.digest()
    assert found.packages == built.packages
    assert [package.name for package in found.packages] == ["app"]
    labels = dict(found.config.labels)
    assert "app" in labels.pop("ingot.packages")
    assert dataclasses.replace(found.config, labels=labels) == built.config


def test_the_same_component_is_the_same_image(archive, component: Path, tmp_path: Path) -> None:
    digests = {
        package_component(
            component, ["amd64"], None, session_in(tmp_path / cache, archive, component)
        )
        for cache in ("one", "two")
    }
    assert len(digests) == 1


def test_several_architectures_make_an_index(component: Path, tmp_path: Path) -> None:
    (component / "component.yml").write_text("files: [{path: etc/arch, contents: any}]\n")
    session = Session(lock_path=component / "ingot.lock", cache_dir=tmp_path / "cache")
    made = package_component(component, ["amd64", "arm64"], "r.example/web:1", session)
    name, digest = made.name, made.digest
    assert made.tagged == name, "a tag that is given is the only one"
    (row,) = describe(ImageStore(tmp_path / "cache"))
    assert (row.name, row.digest) == (name, digest) == ("r.example/web:1", digest)
    assert row.platforms == ("linux/amd64", "linux/arm64")
    sources = ImageSources(cache_dir=tmp_path / "cache", offline=True)
    for arch in ("amd64", "arm64"):
        assert "etc/arch" in sources.get(name, platform_for(arch)).tree


def test_a_name_must_be_one(component: Path, tmp_path: Path) -> None:
    session = Session(cache_dir=tmp_path / "cache")
    with pytest.raises(UsageError):
        package_component(component, ["amd64"], "Not A Name", session)
    assert not (tmp_path / "cache").exists()


def test_the_command(component: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "cache"))
    (component / "component.yml").write_text("files: [{path: etc/x, contents: x}]\n")
    arguments = ["pkg", "build", str(component), "--arch", "amd64", "--json", "--offline"]
    assert run(arguments) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["name"] == "localhost/web:latest"
    assert row["digest"].startswith("sha256:")
    assert row["tagged"] == package_reference(component)
    assert run(["pkg", "ls", str(tmp_path), "--json"]) == 0
    listed = {r["name"]: r for r in map(json.loads, capsys.readouterr().out.splitlines())}
    assert listed["web"]["tagged"] == row["tagged"]
    assert listed["web"]["platforms"] == ["linux/amd64"]
    assert listed["store"]["shipped"]


def test_the_tag_follows_the_contents(component: Path, tmp_path: Path) -> None:
    (component / "component.yml").write_text("files: [{path: etc/x, contents: x}]\n")
    session = Session(cache_dir=tmp_path / "cache")
    first = package_component(component, ["amd64"], None, session)
    assert package_component(component, ["amd64"], None, session) == first
    script = component / "script"
    script.write_text("#!/bin/sh\n")
    second = package_component(component, ["amd64"], None, session)
    script.chmod(0o755)
    third = package_component(component, ["amd64"], None, session)
    assert len({first.tagged, second.tagged, third.tagged}) == 3
    (row,) = [row for row in list_components(component, tmp_path / "cache") if not row.shipped]
    assert (row.tagged, row.platforms) == (third.tagged, ("linux/amd64",))


def test_a_package_of_linuxkit_s_is_named_by_git(tmp_path: Path) -> None:
    folder = tmp_path / "pkg" / "init"
    folder.mkdir(parents=True)
    (folder / "build.yml").write_text("image: init\norg: example\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    tree = subprocess.run(
        [*git, "rev-parse", "HEAD:pkg/init"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert package_reference(folder) == f"example/init:{tree}"
    (folder / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(UsageError, match="changes that are not committed"):
        package_reference(folder)


def test_a_package_for_two_machines_by_way_of_a_registry(
    archive: SmallArchive, component: Path, tmp_path: Path, shared, monkeypatch
) -> None:
    """Built on one machine for both, pushed, and taken by another machine's appliances."""
    name = f"{shared.name}/team/web-{tmp_path.name.replace('_', '-')}:1"
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "one"))
    (component / "component.yml").write_text(COMPONENT.replace("[app]", "[tool]"))
    sources = ["--mirror", f"file://{archive.root}", "--keyring", str(archive.keyring())]
    arches = ["--arch", "amd64", "--arch", "arm64"]
    assert run(["pkg", "build", str(component), "--name", name, *arches, *sources]) == 0
    assert run(["pkg", "push", name]) == 0
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "two"))
    box = tmp_path / "box.yml"
    box.write_text(f"init: [{name}]\n")
    for arch in ("amd64", "arm64"):
        out = tmp_path / arch
        assert run(["build", str(box), "--dir", str(out), "--format", "tar", "--arch", arch]) == 0
        with tarfile.open(out / "box.tar") as tar:
            names = tar.getnames()
            program = tar.extractfile("usr/bin/tool")
            assert program is not None
            assert program.read().decode() == f"#!/bin/sh\n# {arch}\n"
        assert "etc/app.conf" in names
        bill = json.loads((out / "box.spdx.json").read_text())
        assert f"?arch={arch}" in json.dumps(bill)
    # One lock pins the index, which both share.
    assert len(json.loads((tmp_path / "ingot.lock").read_text())["images"]) == 1
    assert run(["lock", str(box), *arches, "--offline"]) == 0


def test_a_package_that_was_not_built_is_asked_of_nobody(
    component: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "box.yml").write_text("init: ['@pkg:./web']\n")
    arguments = ["build", str(tmp_path / "box.yml"), "--format", "tar", "--dir", str(tmp_path)]
    assert run([*arguments, "--arch", "amd64"]) == 5
    assert "ingot pkg build" in capsys.readouterr().err
    (component / "component.yml").write_text("files: [{path: etc/x, contents: x}]\n")
    assert run(["pkg", "build", str(component), "--arch", "amd64"]) == 0
    assert run([*arguments, "--arch", "amd64"]) == 0
    with tarfile.open(tmp_path / "box.tar") as tar:
        assert "etc/x" in tar.getnames()
