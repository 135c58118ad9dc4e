"""Outputs and manifests: the same bytes anywhere, all files at once, nothing after a failure."""

import gzip
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ingot.appliance.build import BuildOptions, build, write_outputs
from ingot.appliance.images import find_component
from ingot.appliance.initrd import BootParts
from ingot.appliance.inputs import read_file
from ingot.appliance.media.pieces import write_pieces
from ingot.appliance.outputs import Output, OutputFile, Target, find_output, find_outputs
from ingot.appliance.plan import Plan
from ingot.appliance.single import check_single
from ingot.appliance.squashfs import write_squashfs
from ingot.appliance.verified import FileSystem, verified_root
from ingot.base.errors import Error, MissingToolError, NotFoundError, UsageError
from ingot.debian.session import Session
from ingot.oci.image import Image
from ingot.oci.tree import Content, Entry, Tree, directory, file, symlink
from ingot.testing.loaders import make_loaders

MakePlan = Callable[[str], Plan]

HELLO = (
    "kernel: {image: component:kernel, cmdline: console=ttyS0}\ninit: [component:init]\n"
    "services:\n- {name: web, image: component:app}\n- {name: twin, image: component:twin}\n"
)


@pytest.fixture
def plan(make: MakePlan) -> Plan:
    return make(HELLO)


def write(plan: Plan, folder: Path, *formats: str, name: str | None = None) -> dict[str, bytes]:
    options = BuildOptions(arch="amd64", folder=folder, name=name, formats=formats)
    outputs = [find_output(name) for name in formats]
    write_outputs(plan, outputs, options, Session(), make_loaders())
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_formats_are_found_by_their_files() -> None:
    outputs = find_outputs()
    assert {"kernel+initrd", "tar"} <= set(outputs)
    with pytest.raises(UsageError, match="no output format 'iso'") as caught:
        find_output("iso")
    assert caught.value.hint == f"formats: {', '.join(sorted(outputs))}"
    with pytest.raises(UsageError, match="no output format 'kernel") as caught:
        find_output("kernel+iso")
    assert "kernel+squashfs" in (caught.value.hint or "")


@pytest.mark.parametrize("name", sorted(find_outputs()))
def test_a_format_writes_the_same_bytes_at_any_place_and_time(
    plan: Plan, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a").mkdir()
    first = write(plan, tmp_path / "a", name)
    other_folder = tmp_path / "quite" / "another"
    umask = os.umask(0o077)
    try:
        second = write(plan, other_folder, name)
    finally:
        os.umask(umask)
    assert first == second
    suffixes = {f"test{suffix}" for suffix in find_output(name).suffixes}
    assert set(first) == suffixes | {"test.manifest.json", "test.mtree"}


@pytest.mark.parametrize("output", find_outputs().values(), ids=lambda output: output.name)
def test_a_format_is_described(output: Output) -> None:
    text = (Path(__file__).parents[3] / "docs/reference/outputs.md").read_text()
    [row] = [line for line in text.splitlines() if line.startswith(f"| `{output.name}`")]
    for suffix in output.suffixes:
        assert f"`NAME{suffix}`" in row


@pytest.mark.parametrize("name", [n for n, output in find_outputs().items() if output.needs])
def test_a_format_names_the_tool_it_misses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "a.yml"
    path.write_text("init: []\n")
    monkeypatch.setattr("shutil.which", lambda *_args, **_more: None)
    options = BuildOptions(arch="amd64", folder=tmp_path / "out", formats=(name,))
    with pytest.raises(MissingToolError, match="is not installed") as caught:
        build(read_file(path), options, Session())
    assert "install the Debian package" in (caught.value.hint or "")


def test_the_manifest_vouches_for_every_file(plan: Plan, tmp_path: Path) -> None:
    files = write(plan, tmp_path, "kernel+initrd", "tar", name="other")
    manifest = json.loads(files.pop("other.manifest.json"))
    rows = {row["path"]: row for row in manifest.pop("files")}
    assert manifest == {
        "schema": 1,
        "name": "other",
        "format": "kernel+initrd,tar",
        "arch": "amd64",
        "memory_mib": 128,
        "services": [{"name": "web"}, {"name": "twin"}],
        "console": "ttyS0",
    }
    assert {path: row["role"] for path, row in rows.items()} == {
        "other-kernel": "kernel",
        "other-initrd.img": "initrd",
        "other-cmdline": "cmdline",
        "other.tar": "tar",
        "other.mtree": "contents",
    }
    for path, data in files.items():
        assert rows[path]["size_bytes"] == len(data)
        assert rows[path]["sha256"] == hashlib.sha256(data).hexdigest()


def test_the_kernel_and_its_command_line_stand_beside_the_disk(plan: Plan, tmp_path: Path) -> None:
    files = write(plan, tmp_path, "kernel+initrd")
    assert files["test-kernel"] == b"kernel"
    assert files["test-cmdline"] == b"console=ttyS0"


def test_the_ram_disk_finds_and_carries_the_root(plan: Plan, tmp_path: Path) -> None:
    """The kernel unpacks two archives: a packed one with the tools, a plain one with the root."""
    data = write(plan, tmp_path, "kernel+initrd")["test-initrd.img"]
    assert data.startswith(b"\x28\xb5\x2f\xfd"), "zstd's magic"
    plain = data.index(b"070701", 4)
    assert plain % 4 == 0
    early = subprocess.run(["zstd", "-dc"], input=data[:plain], capture_output=True, check=False)
    assert listed(early.stdout) == [
        *("bin", "bin/busybox", "dev", "init", "modules", "modules/00-loop.ko", "proc", "root"),
        "sys",
    ]
    assert listed(data[plain:]) == ["root.squashfs"]
    image = tmp_path / "root"
    begin = data.index(b"hsqs", plain)
    image.write_bytes(data[begin:])
    names = squashed(image)
    assert "containers/services/web/rootfs/bin/app" in names
    assert not [name for name in names if name.startswith("boot")]


READERS: dict[FileSystem, list[str]] = {
    "squashfs": ["unsquashfs", "-cat"],
    "erofs": ["dump.erofs", "--path=/etc/ingot/modules"],
}


@pytest.mark.parametrize("filesystem", READERS)
def test_a_verified_root_does_not_insert_modules_again(
    make: MakePlan, tmp_path: Path, filesystem: FileSystem
) -> None:
    plan = make(HELLO)
    target = Target(tmp_path, tmp_path, "test", loaders=make_loaders())
    root = verified_root(plan, target, filesystem)
    early = subprocess.run(
        ["zstd", "-dc"], input=root.parts.initrd.read(), capture_output=True, check=False
    )
    inserted = [name for name in listed(early.stdout) if name.startswith("modules/")]
    assert inserted == ["modules/00-net.ko", f"modules/01-{filesystem}.ko"]
    assert "usr/sbin/dmsetup" in listed(early.stdout)
    assert "root.squashfs" not in listed(early.stdout)
    image = tmp_path / f"verified.{filesystem}"
    command = [*READERS[filesystem], image]
    command += ["etc/ingot/modules"] if filesystem == "squashfs" else []
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    assert shown == b"" or b"Size: 0 " in shown
    listing = plan.root.get("etc/ingot/modules")
    assert listing is not None
    assert listing.content is not None
    assert listing.content.read() == b"/usr/lib/modules/6.1/kernel/net.ko\n"

    device = tmp_path / "device"
    write_pieces(device, root.size_bytes, root.pieces)
    first, blocks, root_hash, last = root.parts.cmdline.rpartition("=")[2].split(",")
    assert last == filesystem
    assert first == hashlib.sha256(device.read_bytes()[:4096]).hexdigest()
    verify = ["/usr/sbin/veritysetup", "verify", device, device, root_hash]
    subprocess.run([*verify, f"--hash-offset={int(blocks) * 4096}"], check=True)


def test_a_kernel_that_names_no_modules_has_no_verified_root(
    make: MakePlan, images: dict[str, Image], tmp_path: Path
) -> None:
    kernel = images["component:kernel"]
    labels = {**kernel.config.labels, "ingot.modules.root": ""}
    images[kernel.reference] = replace(kernel, config=replace(kernel.config, labels=labels))
    with pytest.raises(UsageError, match="verified squashfs"):
        verified_root(make(HELLO), Target(tmp_path, tmp_path, "test", loaders=make_loaders()))


def listed(archive: bytes) -> list[str]:
    command = ["cpio", "--list", "--quiet"]
    return (
        subprocess.run(command, input=archive, capture_output=True, check=True)
        .stdout.decode()
        .split()
    )


def squashed(image: Path) -> dict[str, list[str]]:
    """Return what unsquashfs says of each path: mode, owner, size, date, time."""
    command = ["unsquashfs", "-lln", "-d", "", image]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # A device has two numbers where a file has its size.
    rows = [re.sub(r", +", ",", line).split(maxsplit=5) for line in text.splitlines() if line]
    # The root's name is empty.
    return {"".join(row[5:]).lstrip("/"): row[:5] for row in rows if len(row) >= 5}


def test_the_root_image_keeps_owners_modes_links_and_devices(tmp_path: Path) -> None:
    tree = Tree()
    tree.add(directory("d", 0o1777, uid=5, gid=6))
    tree.add(file("d/f", "x", 0o4750, uid=7))
    tree.add(symlink("d/l", "f"))
    tree.add(Entry("d/null", "char", 0o666, device=(1, 3)))
    write_squashfs(tree, tmp_path / "image")
    rows = squashed(tmp_path / "image")
    assert rows["d"][:2] == ["drwxrwxrwt", "5/6"]
    assert rows["d/f"][:3] == ["-rwsr-x---", "7/0", "1"]
    assert rows["d/l -> f"][0] == "lrwxrwxrwx"
    assert rows["d/null"][0] == "crw-rw-rw-"
    assert rows[""][:2] == ["drwxr-xr-x", "0/0"]
    assert {row[3] for row in rows.values()} == {"1970-01-01"}


def test_a_root_image_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Error, match="mksquashfs failed"):
        write_squashfs(Tree(), tmp_path / "no" / "folder")


def test_a_file_that_shrank_leaves_nothing_running_and_nothing_written(
    plan: Plan, tmp_path: Path
) -> None:
    plan.root.add(Entry("gone", "file", 0o644, content=Content(size_bytes=9, path="/dev/null")))
    with pytest.raises(Error, match="ends 9 bytes early"):
        write(plan, tmp_path, "kernel+initrd")
    assert list(tmp_path.iterdir()) == []


class Failing:
    """A format that writes and then fails."""

    name = "failing"
    suffixes = (".x",)
    needs = ()
    loaders = ()
    arches = ("amd64",)

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        (target.folder / f"{target.name}.x").write_bytes(b"half")
        raise Error("broke")


def test_a_build_that_fails_leaves_what_was_there(plan: Plan, tmp_path: Path) -> None:
    before = write(plan, tmp_path, "tar")
    outputs: list[Output] = [find_output("kernel+initrd"), Failing()]
    with pytest.raises(Error, match="broke"):
        write_outputs(plan, outputs, BuildOptions(arch="amd64", folder=tmp_path), Session(), {})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_appliance_without_kernel_has_no_ram_disk_but_a_tar(
    make: MakePlan, tmp_path: Path
) -> None:
    plan = make("init: [component:init]")
    with pytest.raises(UsageError, match="has no kernel"):
        write(plan, tmp_path, "kernel+initrd")
    written = set(write(plan, tmp_path, "tar"))
    assert written == {"test.tar", "test.mtree", "test.manifest.json"}


def test_a_ram_disk_needs_its_first_program(plan: Plan, tmp_path: Path) -> None:
    plan.root.remove("init")
    with pytest.raises(UsageError, match="no init image has /init"):
        write(plan, tmp_path, "kernel+initrd")


def test_microcode_comes_before_everything_else(plan: Plan, tmp_path: Path) -> None:
    write(plan, tmp_path / "plain", "kernel+initrd")
    changed = replace(plan, ucode=Content.of("070701ucode"))
    write(changed, tmp_path / "ucode", "kernel+initrd")
    plain, prefixed = (
        (tmp_path / name / "test-initrd.img").read_bytes() for name in ("plain", "ucode")
    )
    assert prefixed == b"070701ucode\0" + plain


def test_another_init_gets_the_whole_root_as_it_expects_it(plan: Plan, tmp_path: Path) -> None:
    plan.root.remove("usr/lib/ingot/boot")
    write(plan, tmp_path, "kernel+initrd")
    data = gzip.decompress((tmp_path / "test-initrd.img").read_bytes())
    command = ["cpio", "-idm", "--quiet", "--no-absolute-filenames"]
    (tmp_path / "root").mkdir()
    subprocess.run(command, input=data, cwd=tmp_path / "root", check=True)
    found = {str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*")}
    expected = {entry.path for entry in plan.root if not entry.path.startswith("boot")}
    assert found == expected
    assert (tmp_path / "root/init").read_text() == "#!/bin/busybox sh\n"


def test_another_init_cannot_start_a_root_on_a_disk(plan: Plan, tmp_path: Path) -> None:
    plan.root.remove("usr/lib/ingot/boot")
    with pytest.raises(UsageError, match="does not know how to find a root image"):
        write(plan, tmp_path, "raw-verity")
    assert list(tmp_path.iterdir()) == []


def test_higher_levels_are_smaller(plan: Plan, tmp_path: Path) -> None:
    plan.root.add(file("text", "".join(str(number**3) for number in range(50_000))))
    sizes = []
    for level in (1, 19):
        options = BuildOptions(arch="amd64", folder=tmp_path, compress_level=level)
        manifest = write_outputs(plan, [find_output("kernel+initrd")], options, Session(), {})
        sizes += [file.size_bytes for file in manifest.files if file.role == "initrd"]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(("size_mib", "expected"), [(0, 128), (8, 128), (9, 192), (28, 256)])
def test_memory_follows_the_size_of_the_ram_disk(size_mib: int, expected: int) -> None:
    ram_disk = Content(size_bytes=size_mib << 20, path="/dev/null")
    assert BootParts(Content.of("kernel"), ram_disk, "").memory_mib() == expected


@pytest.mark.parametrize("name", ["raw-efi", "iso-bios", "iso-efi", "raw-verity", "raw-erofs"])
def test_uefi_firmware_needs_memory_of_its_own(plan: Plan, tmp_path: Path, name: str) -> None:
    options = BuildOptions(arch="amd64", folder=tmp_path, formats=(name,))
    manifest = write_outputs(plan, [find_output(name)], options, Session(), make_loaders())
    # Measured: the smallest appliance does not start in 128 MiB.
    assert manifest.memory_mib >= 192


@pytest.mark.parametrize("name", ["raw-bios", "raw-efi", "raw-verity", "qcow2-bios", "vmdk", "vhd"])
def test_disks_are_as_large_as_they_should_be(plan: Plan, tmp_path: Path, name: str) -> None:
    options = BuildOptions(
        arch="amd64", folder=tmp_path, formats=(name,), disk_bytes=(200 << 20) + 1
    )
    output = find_output(name)
    write_outputs(plan, [output], options, Session(), make_loaders())
    image = tmp_path / f"test{output.suffixes[0]}"
    command = ["qemu-img", "info", "--output=json", image]
    command += ["-f", "vpc"] if name == "vhd" else []
    shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert shown["virtual-size"] == 201 << 20
    if shown["format"] == "raw":
        subprocess.run(["/usr/sbin/sgdisk", "-v", image], check=True)


def test_a_size_that_is_too_small_changes_nothing(plan: Plan, tmp_path: Path) -> None:
    before = write(plan, tmp_path / "a", "raw-bios")
    options = BuildOptions(arch="amd64", folder=tmp_path / "b", disk_bytes=1)
    write_outputs(plan, [find_output("raw-bios")], options, Session(), make_loaders())
    assert (tmp_path / "b" / "test-bios.img").read_bytes() == before["test-bios.img"]


@pytest.mark.parametrize("formats", [("kernel+initrd",), ("tar", "vmdk"), ("kernel+erofs", "tar")])
def test_a_single_output_is_one_file(formats: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="a format that is one file") as caught:
        check_single(formats)
    assert "docker, dynamic-vhd" in (caught.value.hint or "")


def test_formats_that_write_the_same_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("init: []\n")
    formats = ("kernel+initrd", "kernel+squashfs")
    options = BuildOptions(arch="amd64", folder=tmp_path / "out", formats=formats)
    with pytest.raises(UsageError, match="both write NAME-kernel"):
        build(read_file(path), options, Session())


def test_a_format_for_other_machines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("init: []\n")
    options = BuildOptions(arch="riscv64", folder=tmp_path / "out", formats=("raw-efi",))
    with pytest.raises(UsageError, match="no raw-efi for riscv64"):
        build(read_file(path), options, Session())


def test_components_beside_the_appliance_come_first(tmp_path: Path) -> None:
    ours = find_component("dhcp", tmp_path)
    assert (ours / "component.yml").is_file()
    for place in (tmp_path / "dhcp", tmp_path / "components" / "dhcp"):
        place.mkdir(parents=True)
        (place / "component.yml").write_text("description: own\n")
        assert find_component("dhcp", tmp_path) == place
    with pytest.raises(NotFoundError, match="no component 'nothing'") as caught:
        find_component("nothing", tmp_path)
    assert "store" in (caught.value.hint or "")
