"""Kernel modules of a tree, in the order `insmod` must load them: no depmod, no modprobe.

What a module needs stands in its `.modinfo` section (depends, softdep, alias); what the kernel
has built in, in modules.builtin.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from ingot.base.atomic import write_atomically
from ingot.base.errors import NotFoundError
from ingot.debian.elf import read_section
from ingot.oci.tree import Entry, Tree

_SCHEMA = 1
_ROOTS = ("usr/lib/modules/", "lib/modules/")
_SUFFIX = ".ko"


class Module(msgspec.Struct, frozen=True, array_like=True):
    """One module; names are written with underscores, as the kernel does.

    Attributes:
        depends: modules whose symbols it uses.
        softdep: modules or aliases to load before it where they exist.
    """

    name: str
    path: str
    depends: tuple[str, ...] = ()
    softdep: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


def module_order(tree: Tree, names: Sequence[str], *, cache_dir: Path) -> list[str]:
    """Return the paths of the named modules and all they need, each after what it needs.

    Args:
        tree: a tree with one kernel's modules.
        names: module names, dashes or underscores; built-in ones are skipped.
        cache_dir: `modules/` below it keeps what the modules say.

    Raises:
        NotFoundError: the kernel has no such module.
    """
    modules = read_modules(tree, cache_dir)
    builtin = _builtin(tree)
    order: dict[str, None] = {}
    for name in names:
        _visit(_plain(name), modules, builtin, order, ())
    return list(order)


def read_modules(tree: Tree, cache_dir: Path) -> dict[str, Module]:
    """Return all modules of a tree by name; the answer is kept, as reading them takes a while."""
    entries = [
        entry
        for entry in tree
        if entry.path.endswith(_SUFFIX) and entry.kind == "file" and entry.path.startswith(_ROOTS)
    ]
    digest = hashlib.sha256(f"modules {_SCHEMA}".encode())
    for entry in entries:
        assert entry.content is not None
        digest.update(f"\n{entry.path} {entry.content.sha256()}".encode())
    path = cache_dir / "modules" / f"{digest.hexdigest()}.msgpack"
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=dict[str, Module])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        modules = {module.name: module for module in map(_module, entries)}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.msgpack.encode(modules))
        return modules


def device_aliases(entry: Entry) -> list[str]:
    """Return the patterns of the devices that a module drives, as `modalias` files name them."""
    return [alias for alias in _modinfo(entry).get("alias", []) if ":" in alias]


def module_name(path: str) -> str:
    """Return the name by which the kernel knows the module of a file."""
    return _plain(path.rpartition("/")[2].partition(_SUFFIX)[0])


def _modinfo(entry: Entry) -> dict[str, list[str]]:
    assert entry.content is not None
    values: dict[str, list[str]] = {}
    for field in (read_section(entry.content, ".modinfo") or b"").split(b"\0"):
        key, _, value = field.decode("utf-8", "replace").partition("=")
        values.setdefault(key, []).append(value)
    return values


def _module(entry: Entry) -> Module:
    values = _modinfo(entry)
    depends = [name for value in values.get("depends", []) for name in value.split(",") if name]
    return Module(
        name=module_name(entry.path),
        path=entry.path,
        depends=tuple(_plain(name) for name in depends),
        softdep=tuple(_before(values.get("softdep", []))),
        # Aliases of devices (pci:v0000…) are for udev; only plain names stand for modules.
        aliases=tuple(_plain(alias) for alias in values.get("alias", []) if ":" not in alias),
    )


def _before(softdeps: Iterable[str]) -> Iterable[str]:
    """Yield the modules that `softdep` fields want loaded before (`pre: a b post: c`)."""
    for value in softdeps:
        before = False
        for word in value.split():
            if word in {"pre:", "post:"}:
                before = word == "pre:"
            elif before:
                yield _plain(word)


def _builtin(tree: Tree) -> set[str]:
    return {
        module_name(line)
        for entry in tree
        if entry.path.endswith("/modules.builtin") and entry.content is not None
        for line in entry.content.read().decode().split()
    }


def _visit(
    name: str,
    modules: Mapping[str, Module],
    builtin: set[str],
    order: dict[str, None],
    above: tuple[str, ...],
) -> None:
    if name in builtin or name in above:
        return
    module = modules.get(name)
    if module is None:
        needed = f" (needed by {above[-1]})" if above else ""
        close = fnmatch.filter(modules, f"*{name}*")[:3]
        raise NotFoundError(
            f"the kernel has no module {name}{needed}",
            hint=f"there are {', '.join(close)}" if close else "another kernel may have it",
        )
    if module.path in order:
        return
    for wanted in module.softdep:
        for found in _aliased(wanted, modules, builtin):
            _visit(found, modules, builtin, order, (*above, name))
    for wanted in module.depends:
        _visit(wanted, modules, builtin, order, (*above, name))
    order[module.path] = None


def _aliased(wanted: str, modules: Mapping[str, Module], builtin: set[str]) -> list[str]:
    """Return the module of that name, else one that has it as an alias, else nothing.

    Several implement a cipher or checksum; the generic one loads on every processor, and others
    refuse to where it is built in.
    """
    if f"{wanted}_generic" in builtin:
        return []
    if wanted in modules:
        return [wanted]
    found = sorted(name for name, module in modules.items() if wanted in module.aliases)
    generic = [name for name in found if name.endswith("_generic")]
    return (generic or found)[:1]


def _plain(name: str) -> str:
    return name.replace("-", "_")
