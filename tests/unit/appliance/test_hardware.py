"""Drivers of a kernel become a table that the boot's shell looks devices up in."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ingot.appliance.hardware import DISKS_LABEL, TABLE, read_drivers, render_table
from ingot.appliance.outputs import Target
from ingot.appliance.plan import Plan, with_platform
from ingot.appliance.spec import Appliance
from ingot.appliance.verified import verified_root
from ingot.base.errors import NotFoundError
from ingot.oci.image import Image, ImageConfig
from ingot.oci.tree import Tree, file
from ingot.testing.elfs import make_elf
from ingot.testing.loaders import make_loaders

FOLDER = "lib/modules/6.1"
FUNCTIONS = Path(__file__).parents[3] / "src/ingot/system/init/drivers"
ALIASES = {
    "ahci": ("pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv*sd*bc*sc*i*"),
    "scsi-mod": (),
    "sd_mod": ("scsi:t-0x00*",),
    "e1000": ("pci:v00008086d0000100Esv*sd*bc*sc*i*", "of:$(reboot)"),
    "hv_vmbus": ("acpi*:VMBUS:*",),
}


@pytest.fixture
def kernel() -> Image:
    tree = Tree()
    for name, aliases in ALIASES.items():
        info = "".join(f"alias={alias}\0" for alias in (*aliases, "plain")).encode()
        tree.add(file(f"{FOLDER}/{name}.ko", make_elf(sections={".modinfo": info})))
    labels = {DISKS_LABEL: "ahci+scsi_mod+sd_mod nvme e1000"}
    return Image("component:kernel", ImageConfig(labels=labels), tree)


def order(_tree: Tree, names: Sequence[str]) -> list[str]:
    """Return the files of modules; `nvme` is built in."""
    return [f"{FOLDER}/{name.replace('scsi_', 'scsi-')}.ko" for name in names if name != "nvme"]


def test_drivers_bring_their_aliases_and_modules(kernel: Image) -> None:
    ahci, nvme, card = read_drivers(kernel, DISKS_LABEL, order)
    assert (ahci.name, nvme.name, card.name) == ("ahci", "nvme", "e1000")
    assert set(ahci.aliases) == set(ALIASES["ahci"])
    assert [module.path for module in ahci.modules] == [
        *(f"{FOLDER}/ahci.ko", f"{FOLDER}/scsi-mod.ko", f"{FOLDER}/sd_mod.ko"),
    ]
    assert (nvme.aliases, nvme.modules) == ((), ())
    # What could be anything but a pattern in a script is left out.
    assert card.aliases == (ALIASES["e1000"][0],)
    assert read_drivers(kernel, "ingot.modules.none", order) == ()


def test_a_driver_that_not_every_processor_has_may_be_missing(kernel: Image) -> None:
    def strict(_tree: Tree, names: Sequence[str]) -> list[str]:
        if "gone" in names:
            raise NotFoundError("no module gone")
        return order(_tree, names)

    def read(text: str) -> list[str]:
        config = replace(kernel.config, labels={DISKS_LABEL: text})
        image = replace(kernel, config=config)
        return [driver.name for driver in read_drivers(image, DISKS_LABEL, strict)]

    assert read("gone?+sd_mod ahci?+sd_mod") == ["ahci"]
    with pytest.raises(NotFoundError):
        read("gone+sd_mod")


def run(kernel: Image, devices: Sequence[str], loaded: Sequence[str], folder: Path) -> list[str]:
    """Run the boot's functions against devices of our own; return what they insert."""
    table = render_table(read_drivers(kernel, DISKS_LABEL, order), "/drivers")
    for index, alias in enumerate(devices):
        device = folder / "bus" / "pci" / "devices" / str(index)
        device.mkdir(parents=True)
        (device / "modalias").write_text(f"{alias}\n")
    for name in loaded:
        (folder / "module" / name).mkdir(parents=True)
    functions = FUNCTIONS.read_text().replace("/sys/", f"{folder}/")
    script = f'insert() {{ echo "$1"; }}\n{table}\n{functions}\ndrive_all\ntrue\n'
    done = subprocess.run(["sh", "-uc", script], capture_output=True, text=True, check=True)
    return list(dict.fromkeys(done.stdout.split()))


AHCI = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"
E1000 = "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00"


def test_only_what_a_machine_has_is_inserted_and_once(kernel: Image, tmp_path: Path) -> None:
    found = run(kernel, [AHCI, "pci:v00001AF4d00001000sv0sd0bc02sc00i00"], ["sd_mod"], tmp_path)
    assert found == ["/drivers/ahci.ko", "/drivers/scsi-mod.ko"]


def test_every_device_finds_its_driver(kernel: Image, tmp_path: Path) -> None:
    assert run(kernel, [E1000, AHCI], ["scsi_mod", "sd_mod"], tmp_path) == [
        *("/drivers/e1000.ko", "/drivers/ahci.ko"),
    ]


def test_a_machine_with_nothing_known_ends_the_search(kernel: Image, tmp_path: Path) -> None:
    assert run(kernel, ["acpi:PNP0A08:"], [], tmp_path) == []
    assert run(kernel, [], [], tmp_path / "none") == []


def test_the_root_and_the_ram_disk_of_a_verified_root_have_the_table(
    make: Callable[[str], Plan], images: dict[str, Image], tmp_path: Path
) -> None:
    image = images["component:kernel"]
    labels = {**image.config.labels, DISKS_LABEL: "other"}
    info = make_elf(sections={".modinfo": b"alias=pci:v1d2\0"})
    image.tree.add(file("usr/lib/modules/6.1/kernel/other.ko", info))
    images["component:kernel"] = replace(image, config=replace(image.config, labels=labels))
    images["component:init"].tree.add(file("usr/lib/ingot/drivers", "drive_all() { :; }\n"))
    plan = make("kernel: {image: component:kernel}\ninit: [component:init]")
    table = plan.root.get(TABLE)
    assert table is not None
    assert table.content is not None
    assert b"pci:v1d2) need other /usr/lib/modules/6.1/kernel/other.ko ;;" in table.content.read()
    assert "usr/lib/modules/6.1/kernel/other.ko" in plan.root
    root = verified_root(plan, Target(tmp_path, tmp_path, "test", loaders=make_loaders()))
    packed = root.parts.initrd.read()
    early = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=False).stdout
    assert b"pci:v1d2) need other /drivers/other.ko ;;" in early
    names = subprocess.run(
        ["cpio", "--list", "--quiet"], input=early, capture_output=True, check=True
    ).stdout.split()
    assert {b"drivers/table", b"drivers/functions", b"drivers/other.ko"} <= set(names)


@pytest.mark.parametrize(
    ("text", "platform", "expected"),
    [
        ("{image: 'component:kernel'}", None, "component:kernel"),
        ("{image: 'component:kernel'}", "generic", "component:kernel-generic"),
        ("{image: 'component:kernel'}\nplatform: generic", None, "component:kernel-generic"),
        ("{image: 'component:kernel'}\nplatform: generic", "cloud", "component:kernel"),
        ("{image: 'component:mine'}", "generic", "component:mine"),
    ],
)
def test_the_platform_chooses_the_shipped_kernel(
    parse: Callable[[str], Appliance], text: str, platform: str | None, expected: str
) -> None:
    kernel = with_platform(parse(f"kernel: {text}\n"), platform).kernel
    assert kernel is not None
    assert kernel.image == expected


def test_an_appliance_without_kernel_has_no_platform(parse: Callable[[str], Appliance]) -> None:
    appliance = parse("init: []\nplatform: generic")
    assert with_platform(appliance) is appliance
