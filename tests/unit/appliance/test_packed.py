"""Formats that are archives of others: a virtual machine in one file, an image for Docker."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ingot.appliance.build import BuildOptions, write_outputs
from ingot.appliance.images import get_image
from ingot.appliance.outputs import find_output
from ingot.appliance.plan import Plan
from ingot.base.errors import UsageError
from ingot.debian.session import Session
from ingot.oci.image import Image
from ingot.testing.loaders import make_loaders

MakePlan = Callable[[str], Plan]
HELLO = (
    "kernel: {image: component:kernel}\ninit: [component:init]\n"
    "services: [{name: web, image: component:app}]\n"
)


def write(plan: Plan, folder: Path, output: str) -> Path:
    options = BuildOptions(arch="amd64", folder=folder, formats=(output,))
    write_outputs(plan, [find_output(output)], options, Session(), make_loaders())
    return next(folder.glob(f"*.{output}"))


def members(path: Path) -> Mapping[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_an_ova_holds_descriptor_digests_and_disk_in_this_order(
    make: MakePlan, tmp_path: Path
) -> None:
    path = write(make(HELLO), tmp_path, "ova")
    files = members(path)
    assert list(files) == ["test.ovf", "test.mf", "test-disk1.vmdk"]
    assert files["test-disk1.vmdk"].startswith(b"KDMV")
    assert files["test.mf"].decode().splitlines() == [
        f"SHA256({name})= {hashlib.sha256(files[name]).hexdigest()}"
        for name in ("test.ovf", "test-disk1.vmdk")
    ]
    assert f'ovf:size="{len(files["test-disk1.vmdk"])}"'.encode() in files["test.ovf"]
    assert b">E1000<" in files["test.ovf"]
    with tarfile.open(path) as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.uname, member.type) == (0, 0, "", b"0")
    # VirtualBox reads the plain POSIX form only.
    assert path.read_bytes()[257:265] == b"ustar\x0000"


def with_drivers(images: dict[str, Image], disks: str, cards: str) -> None:
    kernel = images["component:kernel"]
    labels = {"ingot.modules.disks": disks, "ingot.modules.cards": cards}
    config = replace(kernel.config, labels={**kernel.config.labels, **labels})
    images[kernel.reference] = replace(kernel, config=config)


def test_an_ova_asks_for_the_devices_that_its_kernel_drives(
    make: MakePlan, images: dict[str, Image], tmp_path: Path
) -> None:
    with_drivers(images, "nvme vmw_pvscsi", "vmxnet3")
    descriptor = members(write(make(HELLO), tmp_path, "ova"))["test.ovf"]
    assert b">VmxNet3<" in descriptor
    with_drivers(images, "ahci", "virtio_net")
    with pytest.raises(UsageError, match="no driver for a network card of VirtualBox") as caught:
        write(make(HELLO), tmp_path, "ova")
    assert "--platform generic" in (caught.value.hint or "")


def test_a_docker_image_is_read_as_any_other(make: MakePlan, tmp_path: Path) -> None:
    plan = make(HELLO)
    path = write(plan, tmp_path, "docker")
    session = Session(lock_path=tmp_path / "lock", cache_dir=tmp_path / "cache")
    image = get_image(f"docker-archive:{path}", tmp_path, "amd64", session)
    assert image.config.entrypoint == ("/sbin/init",)
    kept = {entry.path: entry for entry in plan.root if not entry.path.startswith("boot")}
    assert {entry.path for entry in image.tree} == set(kept)
    for entry in image.tree:
        wanted = kept[entry.path]
        assert (entry.kind, entry.mode, entry.link) == (wanted.kind, wanted.mode, wanted.link)
        if wanted.content is not None:
            assert entry.content is not None
            assert entry.content.read() == wanted.content.read()


def test_a_docker_image_is_also_what_docker_builds_one_from(make: MakePlan, tmp_path: Path) -> None:
    files = members(write(make(HELLO), tmp_path, "docker"))
    assert files["Dockerfile"].splitlines() == [
        b"FROM scratch",
        b"ADD layer.tar /",
        b'ENTRYPOINT ["/sbin/init"]',
    ]
    [row] = json.loads(files["manifest.json"])
    assert row["RepoTags"] == ["test:latest"]
    config = files[row["Config"]]
    assert row["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    layer = files[row["Layers"][0]]
    document = json.loads(config)
    assert document["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert (document["os"], document["architecture"]) == ("linux", "amd64")
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        assert "containers/services/web/config.json" in archive.getnames()


@pytest.mark.parametrize(
    ("name", "tags"),
    [("Store_2.x", ["store-2-x:latest"]), ("__", []), ("a b", ["a-b:latest"])],
)
def test_names_of_images_are_plain(
    make: MakePlan, tmp_path: Path, name: str, tags: list[str]
) -> None:
    path = write(replace(make(HELLO), name=name), tmp_path, "docker")
    assert json.loads(members(path)["manifest.json"])[0]["RepoTags"] == tags
