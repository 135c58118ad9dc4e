"""Appliances of foreign images: locked, built from the lock, offline, and moved on purpose."""

from __future__ import annotations

import json
import secrets
import tarfile
from pathlib import Path

import pytest

from ingot.cli.main import run
from ingot.testing.images import SmallImage, member, push, tar_of, write_layout
from ingot.testing.registries import RunningRegistry


@pytest.fixture
def name(shared: RunningRegistry, image: SmallImage) -> str:
    return f"app-{secrets.token_hex(4)}:1"


@pytest.fixture
def appliance(tmp_path: Path, shared, name: str, monkeypatch) -> Path:
    """An appliance of one image from a registry and one from a layout beside it."""
    monkeypatch.setenv("INGOT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    local = SmallImage([tar_of(member("local", b"1"))])
    write_layout(tmp_path / "layout", {"local:1": [local]})
    path = tmp_path / "box.yml"
    path.write_text(f'init: ["{shared.name}/{name}", "oci:layout"]\n')
    return path


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["reference"]: row["digest"] for row in found if "reference" in row}


def build(appliance: Path, *options: str) -> int:
    folder = str(appliance.parent / "out")
    arguments = [str(appliance), "--dir", folder, "--format", "tar", "--arch", "amd64"]
    return run(["build", *arguments, "--json", *options])


def test_lock_build_and_update(appliance, shared, image, name: str, capsys) -> None:
    first = push(shared.url, name, [image], {})
    reference = f"{shared.name}/{name}"
    lock = ["lock", str(appliance), "--arch", "amd64", "--json"]
    assert run(lock) == 0
    assert rows(capsys)[reference] == first
    pins = (appliance.parent / "ingot.lock").read_bytes()
    assert json.loads(pins)["images"][reference] == first
    # The tag moves; the lock does not.
    second = push(shared.url, name, [SmallImage([image.layers[0]])], {})
    assert build(appliance, "--offline") == 0
    tar = (appliance.parent / "out/box.tar").read_bytes()
    assert run(lock) == 0
    assert rows(capsys)[reference] == first
    assert (appliance.parent / "ingot.lock").read_bytes() == pins
    assert run([*lock, "--update"]) == 0
    assert rows(capsys)[reference] == second
    assert build(appliance, "--offline") == 0
    assert (appliance.parent / "out/box.tar").read_bytes() != tar


def test_another_machine_builds_the_same(appliance, shared, image, name, monkeypatch) -> None:
    push(shared.url, name, [image], {})
    assert build(appliance) == 0
    first = (appliance.parent / "out/box.tar").read_bytes()
    push(shared.url, name, [SmallImage([image.layers[0]])], {})
    monkeypatch.setenv("INGOT_CACHE_DIR", str(appliance.parent / "empty"))
    assert build(appliance) == 0
    assert (appliance.parent / "out/box.tar").read_bytes() == first


def test_a_file_that_is_not_what_was_pinned(appliance, shared, image, name, capsys) -> None:
    push(shared.url, name, [image], {})
    assert build(appliance) == 0
    layout = appliance.parent / "layout"
    layout.rename(appliance.parent / "old")
    write_layout(layout, {"local:1": [SmallImage([tar_of(member("local", b"2"))])]})
    assert build(appliance) == 6
    assert "ingot lock --update" in capsys.readouterr().err
    assert run(["lock", "--update", str(appliance), "--arch", "amd64"]) == 0
    assert build(appliance, "--offline") == 0


def test_offline_without_the_image(appliance: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(appliance, "--offline") == 7
    assert "ingot cache pull" in capsys.readouterr().err
    assert not (appliance.parent / "out").exists()


@pytest.fixture
def both(image: SmallImage, arm: SmallImage) -> list[SmallImage]:
    return [image, arm]


def test_images_of_volumes_are_locked_as_others_are(
    appliance: Path, shared, both: list[SmallImage], name: str, capsys
) -> None:
    image = both[0]
    first = push(shared.url, name, both, {})
    reference = f"{shared.name}/{name}"
    appliance.write_text(
        f"volumes:\n- {{name: files, image: {reference}, readonly: true}}\n"
        f"- {{name: kept, image: {reference}, format: oci,"
        " platforms: [linux/amd64, linux/arm64]}\n"
    )
    lock = ["lock", str(appliance), "--arch", "amd64", "--json"]
    assert run(lock) == 0
    assert rows(capsys) == {reference: first}
    second = push(shared.url, name, [image], {})
    assert build(appliance, "--offline") == 0
    with tarfile.open(appliance.parent / "out/box.tar") as tar:
        names = tar.getnames()
        folder = "containers/volumes"
        text = tar.extractfile(f"{folder}/files/lower/etc/name")
        assert text is not None
        assert text.read() == b"top"
        index = tar.extractfile(f"{folder}/kept/lower/index.json")
        assert index is not None
        (root,) = json.loads(index.read())["manifests"]
        blobs = [path for path in names if path.startswith(f"{folder}/kept/lower/blobs/sha256/")]
        blob = tar.extractfile(f"{folder}/kept/lower/blobs/{root['digest'].replace(':', '/')}")
        assert blob is not None
        platforms = [
            row["platform"]["architecture"] for row in json.loads(blob.read())["manifests"]
        ]
    assert platforms == ["amd64", "arm64"]
    # One index, two manifests, two configurations, three layers of which both share one.
    assert len(blobs) == 8
    bill = json.loads((appliance.parent / "out/box.spdx.json").read_text())
    assert reference in {package["name"] for package in bill["packages"]}
    # The tag is for one platform only now, and the layout was to be for two.
    assert run([*lock, "--update"]) == 5
    appliance.write_text(f"volumes: [{{name: kept, image: {reference}, format: oci}}]\n")
    capsys.readouterr()
    assert run([*lock, "--update"]) == 0
    assert rows(capsys) == {reference: second}
