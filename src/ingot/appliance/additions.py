"""What the keys `data` and `ntp` stand for: steps and services of components. Pure."""

from __future__ import annotations

from dataclasses import replace

from ingot.appliance.keys.datadisks import DataDisk
from ingot.appliance.settings import Settings
from ingot.appliance.spec import Appliance, Container

CRYPT_IMAGE = "component:dm-crypt"
FORMAT_IMAGE = "component:format"
METADATA_IMAGE = "component:metadata"
MOUNT_IMAGE = "component:mount"
NTP_IMAGE = "component:ntp"
NTP_NAME = "ntp"


def with_additions(appliance: Appliance) -> Appliance:
    """Return the appliance with its data disks as the first steps, and its clock as a service.

    What a machine is told comes before the disks if a key is part of it.
    """
    steps = [
        step for index, disk in enumerate(appliance.data, start=1) for step in _steps(index, disk)
    ]
    onboot = list(appliance.onboot)
    if any(disk.key for disk in appliance.data):
        first = [step for step in onboot if step.image == METADATA_IMAGE]
        onboot = [step for step in onboot if step not in first]
        steps = [*(first or [Container("metadata", METADATA_IMAGE)]), *steps]
    services = appliance.services
    if appliance.ntp:
        command = ("/usr/lib/ingot/ntp", *appliance.ntp)
        services = (*services, Container(NTP_NAME, NTP_IMAGE, Settings(command=command)))
    return replace(appliance, onboot=(*steps, *onboot), services=services)


def _steps(index: int, disk: DataDisk) -> tuple[Container, Container]:
    number = "" if index == 1 else str(index)
    owner = f"{disk.owner[0]}:{disk.owner[1]}"
    if disk.key is None:
        made = _step(f"format{number}", FORMAT_IMAGE, "format", disk.label)
    else:
        made = _step(f"decrypt{number}", CRYPT_IMAGE, "decrypt", disk.label, disk.key)
    return made, _step(f"mount{number}", MOUNT_IMAGE, "mount", disk.label, disk.path, owner)


def _step(name: str, image: str, program: str, *arguments: str) -> Container:
    return Container(name, image, Settings(command=(f"/usr/lib/ingot/{program}", *arguments)))
