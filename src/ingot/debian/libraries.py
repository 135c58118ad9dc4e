"""Which shared libraries of a tree are needed, by what its programs name (ld.so(8))."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable

from ingot.base.errors import Error
from ingot.debian.elf import Linkage, read_linkage
from ingot.debian.machine import Machine
from ingot.oci.tree import SYMLINK_HOPS_MAX, Entry, Tree

# libc loads this by name when a thread ends by pthread_exit, and aborts without it.
_LOADED_BY_NAME = ("libgcc_s.so.1",)


class MissingLibraryError(Error):
    """A program of the image needs a library that is not in it."""

    slug = "missing-library"


def library_folders(machine: Machine) -> tuple[str, ...]:
    """Return where the dynamic linker looks without being told, in order."""
    return (f"usr/lib/{machine.triplet}", "usr/lib64", "usr/lib")


def needed_paths(tree: Tree, roots: Iterable[Entry], machine: Machine) -> set[str]:
    """Return the paths of all libraries, linkers and links to them that `roots` need.

    Raises:
        MissingLibraryError: a library is in none of the folders it is looked for in.
    """
    folders = library_folders(machine)
    found: set[str] = set()
    queue = deque(entry for entry in roots if entry.kind == "file")
    for name in _LOADED_BY_NAME:
        _find(tree, name, folders, found, queue)
    while queue:
        entry = queue.popleft()
        linkage = _linkage(entry)
        if linkage is None:
            continue
        if linkage.interpreter:
            _follow(tree, linkage.interpreter.lstrip("/"), found, queue)
        origin = posixpath.dirname(entry.path)
        search = [_expand(folder, origin) for folder in linkage.search]
        for name in linkage.needed:
            if not _find(tree, name, (*search, *folders), found, queue):
                raise MissingLibraryError(
                    f"{entry.path} needs {name}, which no package of the component brings",
                    hint="add its package, or `prune` the file that needs it",
                )
    return found


def drop_unneeded(tree: Tree, machine: Machine) -> None:
    """Remove the libraries of the linker's folders that no other file of the tree needs.

    Raises:
        MissingLibraryError: a needed library is not there.
    """
    folders = set(library_folders(machine))
    libraries: set[str] = set()
    roots: list[Entry] = []
    for entry in tree:
        folder, _, name = entry.path.rpartition("/")
        if entry.kind in {"file", "symlink"} and folder in folders and ".so" in name:
            libraries.add(entry.path)
        else:
            roots.append(entry)
    tree.remove_all(libraries - needed_paths(tree, roots, machine))


def _linkage(entry: Entry) -> Linkage | None:
    # Only what is marked executable or named as a library can be ELF worth reading.
    if entry.content is None or not (entry.mode & 0o111 or ".so" in posixpath.basename(entry.path)):
        return None
    return read_linkage(entry.content)


def _expand(folder: str, origin: str) -> str:
    path = folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", f"/{origin}")
    return posixpath.normpath(path).lstrip("/")


def _find(
    tree: Tree, name: str, folders: Iterable[str], found: set[str], queue: deque[Entry]
) -> bool:
    return any(_follow(tree, f"{folder}/{name}", found, queue) for folder in folders)


def _follow(tree: Tree, path: str, found: set[str], queue: deque[Entry]) -> bool:
    """Note the file that `path` leads to, with every link on the way; False if there is none."""
    final = tree.resolve(path)
    if final is None or final.kind != "file":
        return False
    for _ in range(SYMLINK_HOPS_MAX):
        folder, _, name = path.rpartition("/")
        above = tree.resolve(folder)
        path = f"{above.path}/{name}" if above is not None and folder else name
        entry = tree.get(path)
        if entry is None or path in found:
            break
        found.add(path)
        if entry.kind != "symlink":
            queue.append(entry)
            break
        target = entry.link or ""
        base = "" if target.startswith("/") else posixpath.dirname(path)
        path = posixpath.normpath(posixpath.join("/", base, target)).lstrip("/")
    return True
