"""Which kernel modules an appliance takes along, and which it inserts when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingot.appliance.hardware import ModuleOrder
from ingot.appliance.settings import Settings
from ingot.appliance.spec import Appliance, Container
from ingot.base.errors import NotFoundError
from ingot.oci.image import Image
from ingot.oci.tree import Entry, file

MODULES_LABEL = "ingot.modules"
OPTIONAL_MODULES_LABEL = "ingot.modules.optional"
"""Of what only some machines have: a kernel may lack them, and they may fail to load."""
COMMAND_MODULES_LABEL = "ingot.modules.command"
"""The container's command names modules, as modprobe's does."""
EARLY_MODULES_LABEL = "ingot.modules.early"
ROOT_MODULES_LABEL = "ingot.modules.root"
MODULE_LIST = "etc/ingot/modules"


def image_references(appliance: Appliance) -> list[str]:
    """Return every image the appliance names, once, in the order of the file."""
    references = [appliance.kernel.image] if appliance.kernel else []
    references += appliance.init
    references += [v.image for v in appliance.volumes if v.image and v.format == "filesystem"]
    references += [container.image for container in _containers(appliance)]
    return list(dict.fromkeys(references))


def module_list(paths: Sequence[str], optional: Sequence[str] = ()) -> Entry:
    """Return the file that tells the boot which modules to insert, in order."""
    lines = [f"/{path}\n" for path in paths] + [f"-/{path}\n" for path in optional]
    return file(MODULE_LIST, "".join(lines))


def module_names(image: Image, label: str) -> list[str]:
    """Return the modules that a label of the image names."""
    return image.config.labels.get(label, "").split()


def wanted_modules(appliance: Appliance, images: Mapping[str, Image]) -> list[str]:
    """Return the modules that images and commands ask for, once, in the order of the file."""
    names: list[str] = []
    for reference in image_references(appliance):
        names += module_names(images[reference], MODULES_LABEL)
    for container in _containers(appliance):
        if module_names(images[container.image], COMMAND_MODULES_LABEL):
            names += _arguments(container.settings)
    return list(dict.fromkeys(names))


def optional_modules(
    appliance: Appliance, images: Mapping[str, Image], module_order: ModuleOrder
) -> tuple[Entry, ...]:
    """Return the modules that make a machine better if they load, as far as the kernel has them."""
    assert appliance.kernel is not None
    kernel = images[appliance.kernel.image]
    found: dict[str, Entry] = {}
    for reference in image_references(appliance):
        for name in module_names(images[reference], OPTIONAL_MODULES_LABEL):
            try:
                entries = modules_of(kernel, [name], module_order)
            except NotFoundError:
                continue
            found |= {entry.path: entry for entry in entries}
    return tuple(found.values())


def modules_of(kernel: Image, names: Sequence[str], module_order: ModuleOrder) -> tuple[Entry, ...]:
    """Return the modules and what they need, in the order of their insertion."""
    entries = [kernel.tree.get(path) for path in module_order(kernel.tree, names)]
    return tuple(entry for entry in entries if entry is not None)


def _containers(appliance: Appliance) -> tuple[Container, ...]:
    return (*appliance.onboot, *appliance.onshutdown, *appliance.services)


def _arguments(settings: Settings) -> list[str]:
    words = (settings.command or ())[1:]
    return [word for word in words if not word.startswith("-")]
