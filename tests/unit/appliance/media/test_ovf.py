"""OVF descriptors hold up to what importers check.

`Importer` checks what VirtualBox's reader (`ovfreader.cpp`) refuses: attributes that must be there,
references that must resolve, units, elements and controllers that it knows. The order of elements
is the schema's (DMTF DSP8023).
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from ingot.appliance.media.ovf import VirtualMachine, render_ovf

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
CIM = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"
RASD, VSSD = f"{CIM}ResourceAllocationSettingData}}", f"{CIM}VirtualSystemSettingData}}"
CPU, MEMORY, IDE, ETHERNET, DISK = 3, 4, 5, 10, 17
DISK_FORMATS = {
    f"http://www.vmware.com/{place}vmdk.html#{kind}"
    for place in ("specifications/", "interfaces/specifications/")
    for kind in ("sparse", "compressed", "streamOptimized")
}
CARDS = {"PCNet32", "E1000", "E1000e", "VmxNet3", "virtio"}
ELEMENTS = {"Description", "Caption", "ElementName", "InstanceID", "HostResource", "ResourceType"}
ELEMENTS |= {"ResourceSubType", "AutomaticAllocation", "Parent", "Connection", "Address"}
ELEMENTS |= {"AddressOnParent", "AllocationUnits", "VirtualQuantity"}


def descriptor(name: str = "box", card: str = "E1000") -> bytes:
    return render_ovf(
        VirtualMachine(
            name=name,
            disk_name=f"{name}-disk1.vmdk",
            disk_bytes=12_345,
            capacity_bytes=34 << 20,
            memory_mib=512,
            card=card,
        )
    )


class Importer:
    """Reads a descriptor as VirtualBox does; an assertion fails where that would refuse."""

    def __init__(self, data: bytes) -> None:
        self.root = ET.fromstring(data)
        assert self.root.tag == f"{OVF}Envelope"
        assert self.root.get(f"{OVF}version") == "1.0"
        tags = [child.tag.removeprefix(OVF) for child in self.root]
        assert tags == ["References", "DiskSection", "NetworkSection", "VirtualSystem"]
        self.files = {file.get(f"{OVF}id"): file for file in self.all("References/File")}
        self.disks = {disk.get(f"{OVF}diskId"): disk for disk in self.all("DiskSection/Disk")}
        for section in self.root.iter():
            if section.tag.endswith("Section"):
                assert section[0].tag == f"{OVF}Info"
        self._check_disks()
        self.items = list(self._items())
        self._check_items()

    def all(self, path: str) -> list[ET.Element]:
        return self.root.findall("/".join(f"{OVF}{part}" for part in path.split("/")))

    def _check_disks(self) -> None:
        for disk in self.disks.values():
            file = self.files[disk.get(f"{OVF}fileRef")]
            assert re.fullmatch(r"[^/\\]+\.vmdk", file.get(f"{OVF}href") or "")
            assert int(file.get(f"{OVF}size") or "") > 0
            assert int(disk.get(f"{OVF}capacity") or "") % 512 == 0
            assert disk.get(f"{OVF}capacityAllocationUnits") == "byte"
            assert disk.get(f"{OVF}format") in DISK_FORMATS

    def _items(self) -> Iterator[dict[str, str]]:
        [system] = self.all("VirtualSystem")
        assert system.get(f"{OVF}id")
        tags = [child.tag.removeprefix(OVF) for child in system]
        assert tags == ["Info", "Name", "OperatingSystemSection", "VirtualHardwareSection"]
        [hardware] = self.all("VirtualSystem/VirtualHardwareSection")
        [family] = hardware.findall(f"{OVF}System/{VSSD}VirtualSystemType")
        assert re.fullmatch(r"vmx-\d\d|virtualbox-2\.2", family.text or "")
        for element in [*hardware.findall(f"{OVF}Item"), hardware[1]]:
            names = [child.tag.rpartition("}")[2] for child in element]
            assert names == sorted(set(names)), "the schema's order is the alphabet's"
        for item in hardware.findall(f"{OVF}Item"):
            assert all(child.tag.startswith(RASD) for child in item)
            yield {child.tag.removeprefix(RASD): child.text or "" for child in item}

    def _check_items(self) -> None:
        by_id = {item["InstanceID"]: item for item in self.items}
        assert len(by_id) == len(self.items)
        networks = {network.get(f"{OVF}name") for network in self.all("NetworkSection/Network")}
        places: set[tuple[str, str]] = set()
        for item in self.items:
            kind = int(item["ResourceType"])
            assert item["ElementName"]
            assert item.keys() <= ELEMENTS
            if kind == CPU:
                assert 1 <= int(item["VirtualQuantity"]) <= 64
            elif kind == MEMORY:
                assert item["AllocationUnits"] in {"MegaBytes", "MB", "byte * 2^20"}
                assert int(item["VirtualQuantity"]) >= 4
            elif kind == IDE:
                assert item.get("ResourceSubType", "PIIX4") in {"PIIX3", "PIIX4", "ICH6"}
            elif kind == ETHERNET:
                assert item["ResourceSubType"] in CARDS
                assert item["Connection"] in networks
            elif kind == DISK:
                match = re.fullmatch(r"(?:ovf:)?/disk/(.+)", item["HostResource"])
                assert match is not None
                assert match[1] in self.disks
                assert int(by_id[item["Parent"]]["ResourceType"]) == IDE
                place = (item["Parent"], item["AddressOnParent"])
                assert place not in places
                places.add(place)
            else:
                raise AssertionError(f"an importer does not know resource type {kind}")


@pytest.mark.parametrize("name", ["box", "a & <b> \"c\" 'd'", "größe"])
@pytest.mark.parametrize("card", ["E1000", "VmxNet3"])
def test_importers_take_the_descriptor(name: str, card: str) -> None:
    found = Importer(descriptor(name, card))
    kinds = [int(item["ResourceType"]) for item in found.items]
    assert kinds == [CPU, MEMORY, IDE, DISK, ETHERNET]
    [shown] = found.all("VirtualSystem/Name")
    assert shown.text == name


def test_the_descriptor_says_what_there_is() -> None:
    found = Importer(descriptor())
    assert found.items[1]["VirtualQuantity"] == "512"
    assert found.disks["disk1"].get(f"{OVF}capacity") == str(34 << 20)
    assert found.files["file1"].get(f"{OVF}href") == "box-disk1.vmdk"
    [system] = found.all("VirtualSystem/OperatingSystemSection")
    assert system.get(f"{OVF}id") == "101"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"ovf:fileRef", b"ovf:fileXef"),
        (b"#streamOptimized", b"#other"),
        (b"byte * 2^20", b"bananas"),
        (b"<rasd:Parent>3", b"<rasd:Parent>9"),
        (b"<rasd:ResourceType>5<", b"<rasd:ResourceType>20<"),
        (b"rasd:Address>", b"rasd:Adress>"),
        (b"/disk/disk1", b"/disk/disk2"),
        (b"<rasd:InstanceID>5<", b"<rasd:InstanceID>4<"),
    ],
)
def test_the_importer_of_these_tests_is_strict(before: bytes, after: bytes) -> None:
    data = descriptor()
    assert before in data
    with pytest.raises((AssertionError, KeyError)):
        Importer(data.replace(before, after))
