"""Components become images that are the component, byte for byte the same every time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.appliance.package import package_component
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
    name, digest = package_component(component, ["amd64"], None, session)
    assert name == "localhost/web:latest"
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
    name, digest = package_component(component, ["amd64", "arm64"], "r.example/web:1", session)
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
