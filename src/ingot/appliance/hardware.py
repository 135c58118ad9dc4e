"""Which kernel modules drive which hardware, written down at build time for the boot to look up.

A kernel's image lists drivers in labels; what devices each is for stands in the modules
themselves. The boot inserts only what its machine has: there is no udev and no modprobe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ingot.base.errors import NotFoundError
from ingot.debian.modules import device_aliases, module_name
from ingot.oci.image import Image
from ingot.oci.tree import Entry, Tree

DISKS_LABEL = "ingot.modules.disks"
CARDS_LABEL = "ingot.modules.cards"
TABLE = "etc/ingot/hardware"
FUNCTIONS = "usr/lib/ingot/drivers"
"""The shell functions that read the table."""

# Patterns stand in a shell script as they are.
_PATTERN = re.compile(r"[A-Za-z0-9_:*?,.+\[\]-]+")

ModuleOrder = Callable[[Tree, Sequence[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver and what is inserted with it.

    Attributes:
        aliases: patterns of the devices that it drives, in the kernel's words.
        modules: in the order in which they are inserted; none where the kernel has it built in.
    """

    name: str
    aliases: tuple[str, ...]
    modules: tuple[Entry, ...]


def read_drivers(kernel: Image, label: str, order: ModuleOrder) -> tuple[Driver, ...]:
    """Return the drivers that a label of the kernel's image lists, in its order.

    A word is a driver, or several joined by plus signs: the devices of the first bring all in. One
    with a question mark is left out of kernels that do not have it, those of other processors.

    Raises:
        NotFoundError: the kernel has no such module.
    """
    drivers: list[Driver] = []
    for word in kernel.config.labels.get(label, "").split():
        try:
            drivers.append(_driver(kernel.tree, word.replace("?", "").split("+"), order))
        except NotFoundError:
            if "?" not in word:
                raise
    return tuple(drivers)


def render_table(drivers: Iterable[Driver], folder: str) -> str:
    """Return the shell function `drive ALIAS`, which calls `need NAME FILE` for each module.

    Args:
        drivers: where several drive a device, the first one does.
        folder: holds the modules under their file names; empty for the paths in the root.
    """
    lines = ["# Written by the build: which modules drive a device. See `drivers`.", "drive() {"]
    lines.append("  case $1 in")
    for driver in drivers:
        if driver.aliases and driver.modules:
            calls = "; ".join(_need(module, folder) for module in driver.modules)
            lines.append(f"    {' | '.join(driver.aliases)}) {calls} ;;")
    return "\n".join([*lines, "  esac", "}", ""])


def file_name(module: Entry) -> str:
    """Return the name of a module's file."""
    return module.path.rpartition("/")[2]


def _need(module: Entry, folder: str) -> str:
    path = f"{folder}/{file_name(module)}" if folder else f"/{module.path}"
    return f"need {module_name(module.path)} {path}"


def _driver(tree: Tree, names: Sequence[str], order: ModuleOrder) -> Driver:
    entries = [tree.get(path) for path in order(tree, names)]
    modules = tuple(entry for entry in entries if entry is not None)
    first = [module for module in modules if module_name(module.path) == names[0]]
    aliases = {alias for module in first for alias in device_aliases(module)}
    patterns = sorted(alias for alias in aliases if _PATTERN.fullmatch(alias))
    return Driver(names[0], tuple(patterns), modules)
