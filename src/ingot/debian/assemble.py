"""Puts unpacked packages together to one tree: /usr merged, documentation and leftovers dropped."""

from __future__ import annotations

from collections.abc import Sequence

from ingot.debian.globs import matcher
from ingot.debian.index import Package
from ingot.debian.libraries import drop_unneeded, needed_paths
from ingot.debian.machine import Machine
from ingot.debian.recipe import Group, Recipe, User
from ingot.oci.tree import Entry, Tree, directory, file, symlink

# Debian 12 packages still ship /bin, /sbin and /lib; an installed system has links there.
_MERGED = ("bin", "lib", "lib64", "sbin")

# What no image needs at run time. Licences (copyright files) stay: they must go with the binaries.
PRUNED = (
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/debconf",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/gcc",
    "usr/share/gdb",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/pixmaps",
    "usr/share/applications",
    "usr/share/zsh",
    "usr/share/fish",
    "usr/share/initramfs-tools",
    "usr/share/python3/debian_defaults",
    "usr/share/readline",
    "usr/lib/systemd",
    "usr/lib/udev",
    "usr/lib/*-linux-gnu*/gconv",
    "usr/lib/python3.*/ensurepip",
    "usr/lib/python3.*/idlelib",
    "usr/lib/python3.*/lib2to3",
    "usr/lib/python3.*/pydoc_data",
    "usr/lib/python3.*/test",
    "usr/lib/python3.*/turtledemo",
    "usr/lib/python3.*/turtle.py",
    # A hook for a crash reporter, read at every start of Python.
    "usr/lib/python3.*/sitecustomize.py",
    "etc/python3*",
    "etc/cron*",
    "etc/init.d",
    "etc/default",
    "etc/kernel",
    "etc/logrotate.d",
    "etc/ld.so.conf.d",
    "**/__pycache__",
)
_DOC = "usr/share/doc"
KEPT = ("usr/share/doc/*/copyright",)
# The same for what wheels bring: tests, type stubs and sources of extension modules.
WHEEL_PRUNED = (
    "usr/lib/python3/dist-packages/*/tests",
    "usr/lib/python3/dist-packages/*/test",
    "usr/lib/python3/dist-packages/**/*.pyi",
    "usr/lib/python3/dist-packages/**/*.[ch]",
    "usr/lib/python3/dist-packages/**/*.py[xd]",
    "usr/lib/python3/dist-packages/*.dist-info/RECORD",
)


def merged_tree() -> Tree:
    """Return a tree with the links of a merged /usr, so that no package's /lib can shadow it."""
    tree = Tree()
    for name in _MERGED:
        tree.add(directory(f"usr/{name}"))
        tree.add(symlink(name, f"usr/{name}"))
    return tree


def assemble(packages: Sequence[Sequence[Entry]]) -> Tree:
    """Return one tree of the entries of all packages.

    Hard links point to entries of their own package, which come first in its archive.

    Raises:
        ingot.oci.tree.TreeError: two packages cannot stand in one tree.
    """
    tree = merged_tree()
    for entries in packages:
        for entry in entries:
            tree.add(entry)
    return tree


def prune(tree: Tree, recipe: Recipe, machine: Machine) -> None:
    """Drop what the recipe and the defaults say, then what nothing needs any more.

    Raises:
        ingot.debian.libraries.MissingLibraryError: a kept program lacks a library.
    """
    own = matcher(expand(recipe.prune, machine))
    keep = matcher(expand(recipe.keep, machine))
    default = matcher((*PRUNED, *WHEEL_PRUNED))
    default_keep = matcher(KEPT)

    def dropped(entry: Entry) -> bool:
        path = entry.path
        if keep(path):
            return False
        if own(path):
            return True
        return default(path) and not default_keep(path) and not _is_doc_link(entry)

    _remove(tree, {entry.path for entry in tree if dropped(entry)})
    if recipe.only:
        _keep_only(tree, recipe, machine)
    elif recipe.libraries == "needed":
        drop_unneeded(tree, machine)
    _drop_empty_merged(tree)


def drop_absent(
    tree: Tree, packages: Sequence[Package], entries: Sequence[Sequence[Entry]]
) -> list[Package]:
    """Return the packages of which something is left; drop the licences of the others.

    Args:
        tree: the pruned tree.
        packages: all packages that went into it.
        entries: the entries of each.
    """
    present = [
        package
        for package, own in zip(packages, entries, strict=True)
        if any(_is_left(tree, entry) for entry in own)
    ]
    documented = {f"{_DOC}/{package.name}" for package in present}
    # The folder of one package is often a link to that of another from the same source.
    targets = [tree.resolve(folder) for folder in documented]
    documented |= {target.path for target in targets if target is not None}
    _remove(
        tree,
        {
            entry.path
            for entry in tree
            if entry.path.startswith(f"{_DOC}/")
            and "/".join(entry.path.split("/")[:4]) not in documented
        },
    )
    return present


def expand(patterns: Sequence[str], machine: Machine) -> list[str]:
    """Fill `{arch}` and `{triplet}` in."""
    return [
        pattern.replace("{arch}", machine.architecture).replace("{triplet}", machine.triplet)
        for pattern in patterns
    ]


def account_entries(users: Sequence[User], groups: Sequence[Group]) -> list[Entry]:
    """Return /etc/passwd, /etc/group and the homes; none where nothing is asked for.

    Every user has a group of its own name unless another group has its number.
    """
    if not users and not groups:
        return []
    people = [User("root", 0, 0, "/root"), *users, User("nobody", 65534, 65534)]
    numbers = {group.gid for group in groups}
    own = [Group(user.name, user.gid) for user in people if user.gid not in numbers]
    teams = sorted([*groups, *own], key=lambda group: (group.gid, group.name))
    shell = "/usr/sbin/nologin"
    passwd = [f"{u.name}:x:{u.uid}:{u.gid}::{u.home}:{shell}\n" for u in people]
    group = [f"{g.name}:x:{g.gid}:\n" for g in teams]
    homes = [
        directory(user.home.strip("/"), 0o700, uid=user.uid, gid=user.gid)
        for user in users
        if user.home.strip("/")
    ]
    return [file("etc/passwd", "".join(passwd)), file("etc/group", "".join(group)), *homes]


def _keep_only(tree: Tree, recipe: Recipe, machine: Machine) -> None:
    wanted = matcher([*expand(recipe.only, machine), *expand(recipe.keep, machine), *KEPT])
    roots = [entry for entry in tree if wanted(entry.path) or _is_doc_link(entry)]
    keep = {entry.path for entry in roots} | needed_paths(tree, roots, machine)
    merged = {*_MERGED, *(f"usr/{name}" for name in _MERGED)}
    _remove(tree, {entry.path for entry in tree} - keep - merged)


def _is_left(tree: Tree, entry: Entry) -> bool:
    if entry.kind == "directory" or entry.path.startswith(f"{_DOC}/"):
        return False
    top = entry.path.partition("/")[0]
    found = tree.get(f"usr/{entry.path}" if top in _MERGED else entry.path)
    return found is not None and (entry.content is None or found.content == entry.content)


def _is_doc_link(entry: Entry) -> bool:
    return entry.kind == "symlink" and entry.path.rpartition("/")[0] == _DOC


def _remove(tree: Tree, doomed: set[str]) -> None:
    """Remove paths, but no directory that something else still needs."""
    needed: set[str] = set()
    for entry in tree:
        if entry.path not in doomed:
            parent = entry.path.rpartition("/")[0]
            while parent and parent not in needed:
                needed.add(parent)
                parent = parent.rpartition("/")[0]
    tree.remove_all(doomed - needed)


def _drop_empty_merged(tree: Tree) -> None:
    """Drop `lib64` and its like where the image has nothing there."""
    occupied = {entry.path.rpartition("/")[0] for entry in tree}
    for name in _MERGED:
        if f"usr/{name}" not in occupied:
            tree.remove(f"usr/{name}")
            tree.remove(name)
