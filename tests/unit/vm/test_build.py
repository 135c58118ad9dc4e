import json
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import IntegrityError, NotFoundError, UsageError
from ingot.vm.build import exists, read_build

FILES = {"kernel": b"kernel", "initrd.img": b"initrd", "cmdline": b"console=ttyS0 quiet\n"}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    for suffix, data in FILES.items():
        (tmp_path / f"demo-{suffix}").write_bytes(data)
    return tmp_path / "demo"


def write_manifest(prefix: Path, **changes: Any) -> None:
    files = [
        {"role": "kernel", "path": "demo-kernel", "size_bytes": 6, "sha256": "0"},
        {"role": "initrd", "path": "demo-initrd.img", "size_bytes": 6, "sha256": "0"},
        {"role": "cmdline", "path": "demo-cmdline", "size_bytes": 20, "sha256": "0"},
    ]
    document = {
        "schema": 1,
        "name": "demo",
        "format": "kernel+initrd",
        "arch": "arm64",
        "files": files,
        "memory_mib": 192,
        "services": [{"name": "web"}],
        "console": "ttyS0",
    }
    prefix.with_name("demo.manifest.json").write_text(json.dumps(document | changes))


def test_a_prefix_without_manifest_is_taken_by_its_file_names(prefix: Path) -> None:
    build = read_build(prefix)
    assert build.name == "demo"
    assert build.kernel == prefix.with_name("demo-kernel")
    assert build.initrd == prefix.with_name("demo-initrd.img")
    assert build.command_line == "console=ttyS0 quiet"
    assert (build.memory_mib, build.arch) == (512, "amd64")


def test_the_manifest_says_memory_and_architecture(prefix: Path) -> None:
    write_manifest(prefix)
    build = read_build(prefix)
    assert (build.memory_mib, build.arch) == (192, "arm64")
    assert build.command_line == "console=ttyS0 quiet"


def test_a_build_exists_by_manifest_or_kernel(prefix: Path, tmp_path: Path) -> None:
    assert exists(prefix)
    assert not exists(tmp_path / "other")
    prefix.with_name("demo-kernel").unlink()
    assert not exists(prefix)
    write_manifest(prefix)
    assert exists(prefix)


def test_a_missing_build_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no build 'demo'") as caught:
        read_build(tmp_path / "demo")
    assert caught.value.hint is not None
    assert "ingot build" in caught.value.hint


@pytest.mark.parametrize("suffix", ["initrd.img", "cmdline"])
def test_a_missing_file_is_named(prefix: Path, suffix: str) -> None:
    prefix.with_name(f"demo-{suffix}").unlink()
    with pytest.raises(NotFoundError, match=f"lacks .*demo-{suffix}"):
        read_build(prefix)


def test_a_file_of_another_size_is_not_booted(prefix: Path) -> None:
    write_manifest(prefix)
    prefix.with_name("demo-initrd.img").write_bytes(b"half")
    with pytest.raises(IntegrityError, match=r"demo-initrd.img does not have the 6 bytes"):
        read_build(prefix)


def test_a_build_that_does_not_boot_by_itself_is_refused(prefix: Path) -> None:
    tar = [{"role": "tar", "path": "demo.tar", "size_bytes": 1, "sha256": "0"}]
    write_manifest(prefix, files=tar)
    with pytest.raises(UsageError, match="lists no kernel"):
        read_build(prefix)


@pytest.mark.parametrize("changes", [{"schema": 2}, {"files": None}, {"memory_mib": "much"}])
def test_a_manifest_of_another_form_is_refused(prefix: Path, changes: dict[str, Any]) -> None:
    write_manifest(prefix, **changes)
    with pytest.raises(UsageError, match="no manifest of schema 1"):
        read_build(prefix)


def test_a_manifest_has_a_bound(prefix: Path) -> None:
    prefix.with_name("demo.manifest.json").write_bytes(b" " * ((4 << 20) + 1))
    with pytest.raises(UsageError, match="too large"):
        read_build(prefix)


@pytest.mark.parametrize("text", ["a\nb", "x" * 2049, "a\0b"])
def test_a_command_line_is_one_line(prefix: Path, text: str) -> None:
    prefix.with_name("demo-cmdline").write_text(text)
    with pytest.raises(UsageError, match="no kernel command line"):
        read_build(prefix)
