"""Writes OVF descriptors: a virtual machine and its disk, as VirtualBox and VMware import them.

Source: DMTF DSP0243 "Open Virtualization Format Specification" 1.1; elements of an item are in the
order of DSP8023's schema, which is the alphabet's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"
_HEAD = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<Envelope ovf:version="1.0" xml:lang="en-US"
    xmlns="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:rasd="{_CIM}ResourceAllocationSettingData"
    xmlns:vssd="{_CIM}VirtualSystemSettingData"
    xmlns:vmw="http://www.vmware.com/schema/ovf">
"""
_DISK_FORMAT = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
_NETWORK = "VM Network"
# Linux of 64 bits, in the words of CIM and of VMware.
_SYSTEM_ID = 101
_SYSTEM_TYPE = "otherLinux64Guest"
# Of ESXi 5.5; VirtualBox takes any.
_HARDWARE = "vmx-10"
_PROCESSOR, _MEMORY, _IDE, _ETHERNET, _DISK = 3, 4, 5, 10, 17
_CONTROLLER_ID = 3


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """What the descriptor says.

    Attributes:
        disk_name: the disk's file, in the same folder or archive.
        disk_bytes: size of that file.
        capacity_bytes: size of the disk in it.
        card: subtype of the network card, as VMware and VirtualBox name it.
    """

    name: str
    disk_name: str
    disk_bytes: int
    capacity_bytes: int
    memory_mib: int
    card: str
    cpus: int = 1


def render_ovf(machine: VirtualMachine) -> bytes:
    """Return the descriptor's bytes."""
    name, quoted = escape(machine.name), quoteattr(machine.name)
    items = "".join(_item(fields) for fields in _items(machine))
    return f"""{_HEAD}\
  <References>
    <File ovf:id="file1" ovf:href={quoteattr(machine.disk_name)} ovf:size="{machine.disk_bytes}"/>
  </References>
  <DiskSection>
    <Info>The disk</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="{machine.capacity_bytes}"
        ovf:capacityAllocationUnits="byte" ovf:format="{_DISK_FORMAT}"/>
  </DiskSection>
  <NetworkSection>
    <Info>The network</Info>
    <Network ovf:name="{_NETWORK}">
      <Description>Where the appliance is reached</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id={quoted}>
    <Info>An appliance</Info>
    <Name>{name}</Name>
    <OperatingSystemSection ovf:id="{_SYSTEM_ID}" vmw:osType="{_SYSTEM_TYPE}">
      <Info>The operating system</Info>
      <Description>Linux of 64 bits</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>The hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>{name}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>{_HARDWARE}</vssd:VirtualSystemType>
      </System>
{items}\
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
""".encode()


def _items(machine: VirtualMachine) -> list[Mapping[str, object]]:
    """Return the machine's devices by the names of CIM.

    The disk is on IDE, the one controller that both hypervisors take from each other's descriptors.
    """
    return [
        {
            "AllocationUnits": "hertz * 10^6",
            "Description": "Processors",
            "ElementName": f"{machine.cpus} virtual CPU",
            "InstanceID": 1,
            "ResourceType": _PROCESSOR,
            "VirtualQuantity": machine.cpus,
        },
        {
            "AllocationUnits": "byte * 2^20",
            "Description": "Memory",
            "ElementName": f"{machine.memory_mib} MiB of memory",
            "InstanceID": 2,
            "ResourceType": _MEMORY,
            "VirtualQuantity": machine.memory_mib,
        },
        {
            "Address": 0,
            "Caption": "ideController0",
            "Description": "Controller of the disk",
            "ElementName": "IDE controller",
            "InstanceID": _CONTROLLER_ID,
            "ResourceType": _IDE,
        },
        {
            "AddressOnParent": 0,
            "ElementName": "Disk",
            "HostResource": "ovf:/disk/disk1",
            "InstanceID": 4,
            "Parent": _CONTROLLER_ID,
            "ResourceType": _DISK,
        },
        {
            "AddressOnParent": 7,
            "AutomaticAllocation": "true",
            "Connection": _NETWORK,
            "Description": f"{machine.card} network card",
            "ElementName": "Network card",
            "InstanceID": 5,
            "ResourceSubType": machine.card,
            "ResourceType": _ETHERNET,
        },
    ]


def _item(fields: Mapping[str, object]) -> str:
    rows = "".join(
        f"        <rasd:{key}>{escape(str(value))}</rasd:{key}>\n"
        for key, value in sorted(fields.items())
    )
    return f"      <Item>\n{rows}      </Item>\n"
