"""component.yml: everything it can say, and every mistake with its place."""

import json
from pathlib import Path

import pytest

from ingot.base.document import DocumentError
from ingot.base.errors import NotFoundError
from ingot.debian.recipe import FileRow, Group, Recipe, User, parse_recipe, read_recipe
from ingot.oci.image import ImageConfig

WHOLE = """
name: store
description: the object store
packages: [python3-minimal, "linux-image-cloud-{arch}"]
exclude: [perl-base]
ignore-depends: ["linux-image-*"]
only: [usr/bin/app]
libraries: needed
prune: [usr/share/x]
keep: [usr/share/y]
wheels: wheels.txt
distribution: ingot
bytecode: false
files:
  - {path: /etc/motd, contents: "hello\\n", mode: 0600, uid: 7, gid: 8}
  - {path: usr/bin/run, source: run.sh, mode: "0755"}
  - {path: etc/localtime, symlink: ../run/localtime}
  - {path: data, directory: true}
users: [{name: ingot, uid: 1000, home: /data}]
groups: [{name: disk, gid: 6}]
config:
  entrypoint: [/usr/bin/ingot, server]
  cmd: [/data]
  env: [A=b]
  working-dir: /data
  user: ingot
  labels:
    org.mobyproject.config: {capabilities: [CAP_CHOWN], readonly: true, retries: 3}
    note: plain
"""


def test_everything_it_can_say() -> None:
    recipe = parse_recipe(WHOLE, "component.yml", "folder")
    label = recipe.config.labels["org.mobyproject.config"]
    assert json.loads(label) == {"capabilities": ["CAP_CHOWN"], "readonly": True, "retries": 3}
    assert recipe == Recipe(
        name="store",
        description="the object store",
        packages=("python3-minimal", "linux-image-cloud-{arch}"),
        exclude=("perl-base",),
        ignore_depends=("linux-image-*",),
        only=("usr/bin/app",),
        libraries="needed",
        prune=("usr/share/x",),
        keep=("usr/share/y",),
        wheels="wheels.txt",
        distribution="ingot",
        bytecode=False,
        files=(
            FileRow("etc/motd", 0o600, 7, 8, contents="hello\n"),
            FileRow("usr/bin/run", 0o755, source="run.sh"),
            FileRow("etc/localtime", link="../run/localtime"),
            FileRow("data", directory=True),
        ),
        users=(User("ingot", 1000, 1000, "/data"),),
        groups=(Group("disk", 6),),
        config=ImageConfig(
            entrypoint=("/usr/bin/ingot", "server"),
            cmd=("/data",),
            env=("A=b",),
            working_dir="/data",
            user="ingot",
            labels={"org.mobyproject.config": label, "note": "plain"},
        ),
    )


def test_an_empty_file_is_an_empty_component_named_like_its_folder() -> None:
    assert parse_recipe("", "component.yml", "scratch") == Recipe(name="scratch")


def problems(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse_recipe(text, "c.yml", "x")
    return caught.value.message.splitlines()


def test_all_mistakes_are_reported_at_once_with_their_places() -> None:
    text = """packges: [a]
libraries: some
packages: b
packages: [c]
files:
  - {path: ../x, contents: y}
  - {path: z}
  - {path: z, contents: a, mode: rwx, uid: -1}
users: [{name: a}]
bytecode: perhaps
"""
    assert [line.partition(" ")[0] for line in problems(text)] == [
        "c.yml:1:1:",
        "c.yml:2:12:",
        "c.yml:3:11:",
        "c.yml:4:1:",
        "c.yml:6:12:",
        "c.yml:7:5:",
        "c.yml:8:34:",
        "c.yml:8:44:",
        "c.yml:9:9:",
        "c.yml:10:11:",
    ]


def test_the_nearest_key_is_suggested() -> None:
    (problem,) = problems("packges: []\n")
    assert problem == "c.yml:1:1: 'packges' is not known here; did you mean 'packages'?"


def test_broken_yaml_has_a_place() -> None:
    (problem,) = problems("packages: [a\nfiles: }")
    assert problem.startswith("c.yml:2:")


def test_a_folder_without_the_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is no component"):
        read_recipe(tmp_path)
