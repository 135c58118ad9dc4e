import json
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import IntegrityError, NotFoundError, UsageError
from ingot.vm.build import Wanted, exists, read_build
from ingot.vm.machine import ImageBoot, KernelBoot

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
    build = read_build(prefix, Wanted())
    assert build.name == "demo"
    assert build.boot == KernelBoot(
        kernel=prefix.with_name("demo-kernel"),
        initrd=prefix.with_name("demo-initrd.img"),
        command_line="console=ttyS0 quiet",
    )
    assert not build.uefi
    assert (build.memory_mib, build.arch) == (512, "amd64")


def test_the_manifest_says_memory_and_architecture(prefix: Path) -> None:
    write_manifest(prefix)
    build = read_build(prefix, Wanted())
    assert (build.memory_mib, build.arch) == (192, "arm64")
    assert isinstance(build.boot, KernelBoot)
    assert build.boot.command_line == "console=ttyS0 quiet"


def test_a_root_beside_the_kernel_is_taken(prefix: Path) -> None:
    write_manifest(prefix)
    manifest = prefix.with_name("demo.manifest.json")
    document = json.loads(manifest.read_text())
    document["files"].append({"role": "root", "path": "demo-squashfs.img", "size_bytes": 4})
    manifest.write_text(json.dumps(document))
    prefix.with_name("demo-squashfs.img").write_bytes(b"root")
    build = read_build(prefix, Wanted())
    assert isinstance(build.boot, KernelBoot)
    assert build.boot.root == prefix.with_name("demo-squashfs.img")


def test_a_build_exists_by_manifest_or_kernel(prefix: Path, tmp_path: Path) -> None:
    assert exists(prefix)
    assert not exists(tmp_path / "other")
    prefix.with_name("demo-kernel").unlink()
    assert not exists(prefix)
    write_manifest(prefix)
    assert exists(prefix)


def test_a_missing_build_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no build 'demo'") as caught:
        read_build(tmp_path / "demo", Wanted())
    assert caught.value.hint is not None
    assert "ingot build" in caught.value.hint


@pytest.mark.parametrize("suffix", ["initrd.img", "cmdline"])
def test_a_missing_file_is_named(prefix: Path, suffix: str) -> None:
    prefix.with_name(f"demo-{suffix}").unlink()
    with pytest.raises(NotFoundError, match=f"lacks .*demo-{suffix}"):
        read_build(prefix, Wanted())


def test_a_file_of_another_size_is_not_booted(prefix: Path) -> None:
    write_manifest(prefix)
    prefix.with_name("demo-initrd.img").write_bytes(b"half")
    with pytest.raises(IntegrityError, match=r"demo-initrd.img does not have the 6 bytes"):
        read_build(prefix, Wanted())


def test_a_build_that_does_not_boot_by_itself_is_refused(prefix: Path) -> None:
    tar = [{"role": "tar", "path": "demo.tar", "size_bytes": 1, "sha256": "0"}]
    write_manifest(prefix, files=tar)
    with pytest.raises(UsageError, match="nothing that boots by itself"):
        read_build(prefix, Wanted())


@pytest.mark.parametrize("changes", [{"schema": 2}, {"files": None}, {"memory_mib": "much"}])
def test_a_manifest_of_another_form_is_refused(prefix: Path, changes: dict[str, Any]) -> None:
    write_manifest(prefix, **changes)
    with pytest.raises(UsageError, match="no manifest of schema 1"):
        read_build(prefix, Wanted())


def test_a_manifest_has_a_bound(prefix: Path) -> None:
    prefix.with_name("demo.manifest.json").write_bytes(b" " * ((4 << 20) + 1))
    with pytest.raises(UsageError, match="too large"):
        read_build(prefix, Wanted())


@pytest.mark.parametrize("text", ["a\nb", "x" * 2049, "a\0b"])
def test_a_command_line_is_one_line(prefix: Path, text: str) -> None:
    prefix.with_name("demo-cmdline").write_text(text)
    with pytest.raises(UsageError, match="no kernel command line"):
        read_build(prefix, Wanted())


IMAGES = [
    {"role": "disk", "path": "demo-efi.img", "firmware": ["uefi"]},
    {"role": "disk", "path": "demo-efi.qcow2", "firmware": ["uefi"]},
    {"role": "disk", "path": "demo.vmdk", "firmware": ["bios"]},
    {"role": "iso", "path": "demo.iso", "firmware": ["bios", "uefi"]},
    {"role": "kernel", "path": "demo-kernel"},
    {"role": "initrd", "path": "demo-initrd.img"},
    {"role": "cmdline", "path": "demo-cmdline"},
]


def write_images(prefix: Path, *paths: str) -> None:
    """Let the build have images beside, or in place of, kernel and initrd."""
    for path in paths:
        prefix.with_name(path).write_bytes(b"image")
    files = [
        file | {"size_bytes": prefix.with_name(file["path"]).stat().st_size, "sha256": "0"}
        for file in IMAGES
        if file["path"] in paths
    ]
    write_manifest(prefix, files=files)


EVERYTHING = tuple(file["path"] for file in IMAGES)


@pytest.mark.parametrize(
    ("wanted", "file", "uefi"),
    [
        (Wanted(boot="disk"), "demo-efi.qcow2", True),
        (Wanted(boot="iso"), "demo.iso", False),
        (Wanted(boot="iso", uefi=True), "demo.iso", True),
        (Wanted(boot="kernel", uefi=True), "demo-kernel", True),
        (Wanted(), "demo-kernel", False),
        (Wanted(media=("vmdk", "iso")), "demo.vmdk", False),
        (Wanted(media=("vmdk", "iso"), uefi=True), "demo.iso", True),
    ],
)
def test_the_form_is_what_the_user_wants_and_the_runner_likes_best(
    prefix: Path, wanted: Wanted, file: str, uefi: bool
) -> None:
    write_images(prefix, *EVERYTHING)
    build = read_build(prefix, wanted)
    path = build.boot.kernel if isinstance(build.boot, KernelBoot) else build.boot.path
    assert (path.name, build.uefi) == (file, uefi)


def test_a_build_of_one_image_needs_no_flag(prefix: Path) -> None:
    write_images(prefix, "demo-efi.img")
    build = read_build(prefix, Wanted())
    assert build.boot == ImageBoot(prefix.with_name("demo-efi.img"), "raw")
    assert build.uefi


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(boot="kernel"), "does not boot from kernel"),
        (Wanted(uefi=False, boot="disk"), "does not boot from disk under BIOS"),
        (Wanted(media=("vdi",)), "nothing that boots by itself"),
    ],
)
def test_what_a_build_does_not_do_is_said(prefix: Path, wanted: Wanted, words: str) -> None:
    write_images(prefix, "demo-efi.img", "demo.iso")
    with pytest.raises(UsageError, match=words) as caught:
        read_build(prefix, wanted)
    assert caught.value.hint
    if "vdi" not in wanted.media:
        assert caught.value.hint == "it boots: disk (uefi), iso (bios/uefi)"


def test_an_image_file_is_a_build_of_its_own(tmp_path: Path) -> None:
    image = tmp_path / "other.iso"
    assert not exists(image)
    image.write_bytes(b"image")
    assert exists(image)
    build = read_build(image, Wanted(uefi=True))
    assert (build.name, build.boot, build.uefi) == ("other", ImageBoot(image, "iso"), True)
    assert build.memory_mib == 512
