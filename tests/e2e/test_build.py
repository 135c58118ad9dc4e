"""Builds from the real Debian archive: the same bytes again, mistakes with their places."""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def digests(cli: Cli, file: Path, *options: str) -> dict[str, str]:
    """Build and return the digest of each file by its role."""
    result = cli(
        *("build", file, "--dir", file.parent / "out", "--json"),
        *("--format", "kernel+initrd,tar", *options),
        timeout_s=600,
    )
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return {row["role"]: row["sha256"] for row in rows}


def test_a_second_build_elsewhere_and_offline_gives_the_same_bytes(
    cli: Cli, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    shutil.copytree(EXAMPLES, first)
    (first / "ingot.lock").unlink(missing_ok=True)
    before = digests(cli, first / "store.yml")
    assert set(before) == {"kernel", "initrd", "cmdline", "tar", "sbom", "contents"}
    assert (first / "ingot.lock").is_file()

    second = tmp_path / "another" / "place"
    shutil.copytree(EXAMPLES, second)
    shutil.copy(first / "ingot.lock", second)
    assert digests(cli, second / "store.yml", "--offline") == before
    names = sorted(path.name for path in (second / "out").iterdir())
    assert names == [
        *("store-cmdline", "store-initrd.img", "store-kernel"),
        *("store.manifest.json", "store.mtree", "store.spdx.json", "store.tar"),
    ]


def test_python_is_in_the_store_s_image_once_and_compiled(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    cli("build", tmp_path / "store.yml", "--dir", tmp_path, "--format", "tar", timeout_s=600)
    with tarfile.open(tmp_path / "store.tar") as archive:
        members = {member.name: member for member in archive}
    store = "containers/services/store/rootfs"
    assert members[f"{store}/usr/bin/python3.11"].isreg()
    compiled = [name for name in members if name.startswith(store) and name.endswith(".pyc")]
    assert len(compiled) > 300
    # Equal files of other containers and of the system are links to the first one.
    busyboxes = [name for name in members if name.endswith("/busybox")]
    assert len(busyboxes) > 3
    assert len([name for name in busyboxes if members[name].isreg()]) == 1
    # What only builds and clients use has no place in a server.
    assert not [
        name
        for name in members
        if name.startswith(f"{store}/usr/lib/python3/dist-packages/ingot/vm")
    ]


def test_a_single_output_goes_where_it_is_wanted(
    cli: Cli, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "below" / "root.tar"
    hello = EXAMPLES / "hello.yml"
    rows = cli("build", hello, "--format", "tar", "-o", path, "--json", timeout_s=600).stdout
    [row] = [json.loads(line) for line in rows.splitlines()]
    assert row["path"] == str(path)
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [file.name for file in path.parent.iterdir()] == ["root.tar"]
    command = [sys.executable, "-m", "ingot", "build", hello, "--format", "tar", "-o", "-"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=600)
    assert done.stdout == path.read_bytes()
    refused = cli("build", hello, "-o", "-", check=False)
    assert refused.returncode == 2
    assert "a format that is one file" in refused.stderr


def test_mistakes_end_the_build_before_anything_is_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.yml").write_text(
        "kernel: {image: component:kernel}\nservices:\n- {name: a, imag: b}\n- {name: a}\n"
    )
    out = tmp_path / "out"
    result = cli("build", tmp_path / "wrong.yml", "--dir", out, check=False)
    assert result.returncode == 2
    assert f"{tmp_path}/wrong.yml:3:13: services.0.imag: 'imag' is not known here" in result.stderr
    assert "wrong.yml:4:3: services.1: name and image are needed here" in result.stderr
    assert not out.exists()


def test_a_package_nobody_has_ends_the_build_without_a_trace(cli: Cli, tmp_path: Path) -> None:
    component = tmp_path / "odd" / "component.yml"
    component.parent.mkdir()
    component.write_text("packages: [no-such-package-anywhere]\n")
    (tmp_path / "odd.yml").write_text("init: [component:odd]\n")
    result = cli(
        *("build", tmp_path / "odd.yml", "--dir", tmp_path / "out", "--format", "tar"), check=False
    )
    assert result.returncode != 0
    assert "no-such-package-anywhere" in result.stderr
    assert not (tmp_path / "out").exists()
