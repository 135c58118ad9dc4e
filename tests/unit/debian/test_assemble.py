"""Packages become one tree: /usr merged, pruned, with just the libraries its programs need."""

import pytest

from ingot.debian.assemble import account_entries, assemble, drop_absent, prune
from ingot.debian.index import Package
from ingot.debian.libraries import MissingLibraryError
from ingot.debian.machine import machine
from ingot.debian.recipe import Group, Recipe, User
from ingot.oci.tree import Entry, Tree, directory, file, symlink
from ingot.testing.elfs import make_elf

AMD64 = machine("amd64")
LIB = "lib/x86_64-linux-gnu"
LINKER = "/lib64/ld-linux-x86-64.so.2"


def elf(path: str, *needed: str, runpath: str = "", interpreter: str = "") -> Entry:
    return file(path, make_elf(needed=needed, runpath=runpath, interpreter=interpreter), 0o755)


LIBC = [
    elf(f"{LIB}/libc.so.6"),
    elf(f"{LIB}/ld-linux-x86-64.so.2"),
    symlink("lib64/ld-linux-x86-64.so.2", f"/{LIB}/ld-linux-x86-64.so.2"),
]


def pruned(recipe: Recipe, *packages: list[Entry]) -> list[str]:
    tree = assemble(packages)
    prune(tree, recipe, AMD64)
    return [entry.path for entry in tree if entry.kind != "directory"]


def test_old_places_are_links_and_nothing_shadows() -> None:
    tree = assemble([[directory("bin"), file("bin/a", "1")], [file("usr/bin/a", "2")]])
    assert tree.get("bin") == symlink("bin", "usr/bin")
    assert tree.get("usr/bin/a") == file("usr/bin/a", "2")


def test_links_of_places_the_image_does_not_have_are_dropped() -> None:
    assert pruned(Recipe("x"), [file("bin/a", "")]) == ["bin", "usr/bin/a"]


def test_documentation_goes_and_licences_stay() -> None:
    package = [
        file("usr/share/doc/a/copyright", "MIT"),
        file("usr/share/doc/a/changelog.gz", ""),
        file("usr/share/man/man1/a.1.gz", ""),
        file("usr/share/locale/de/LC_MESSAGES/a.mo", ""),
        file("usr/share/data/a", ""),
    ]
    assert pruned(Recipe("x"), package) == ["usr/share/data/a", "usr/share/doc/a/copyright"]


def test_own_patterns_win_over_the_defaults_and_keep_over_both() -> None:
    recipe = Recipe(
        "x",
        prune=("usr/share/doc", "usr/lib/{triplet}/*.a"),
        keep=("usr/share/locale/C.UTF-8", "**/b.a"),
    )
    package = [
        file("usr/share/doc/a/copyright", ""),
        file("usr/share/locale/C.UTF-8/x", ""),
        file("usr/lib/x86_64-linux-gnu/a.a", ""),
        file("usr/lib/x86_64-linux-gnu/b.a", ""),
    ]
    kept = ["lib", "usr/lib/x86_64-linux-gnu/b.a", "usr/share/locale/C.UTF-8/x"]
    assert pruned(recipe, package) == kept


def test_only_keeps_programs_with_their_libraries_links_and_linker() -> None:
    package = [
        elf("usr/sbin/tool", "libdep.so.1", interpreter=LINKER),
        elf("usr/sbin/other", "libother.so.1", interpreter=LINKER),
        elf(f"usr/{LIB}/libdep.so.1.2.3", "libc.so.6"),
        symlink(f"usr/{LIB}/libdep.so.1", "libdep.so.1.2.3"),
        symlink(f"usr/{LIB}/libdep.so", "libdep.so.1"),
        elf(f"usr/{LIB}/libother.so.1", "libc.so.6"),
    ]
    assert pruned(Recipe("x", only=("usr/sbin/tool",)), LIBC, package) == [
        "lib",
        "lib64",
        "sbin",
        f"usr/{LIB}/ld-linux-x86-64.so.2",
        f"usr/{LIB}/libc.so.6",
        f"usr/{LIB}/libdep.so.1",
        f"usr/{LIB}/libdep.so.1.2.3",
        "usr/lib64/ld-linux-x86-64.so.2",
        "usr/sbin/tool",
    ]


def test_needed_libraries_stay_for_whatever_needs_them() -> None:
    package = [
        elf("usr/lib/python3/x.so", "libfar.so", "libmine.so", runpath="$ORIGIN/x.libs"),
        elf("usr/lib/python3/x.libs/libmine.so"),
        elf(f"usr/{LIB}/libfar.so"),
        elf(f"usr/{LIB}/libunused.so"),
        elf(f"usr/{LIB}/libgcc_s.so.1"),
    ]
    kept = pruned(Recipe("x", libraries="needed"), package)
    assert f"usr/{LIB}/libunused.so" not in kept
    # libc loads it by name.
    assert f"usr/{LIB}/libgcc_s.so.1" in kept
    assert f"usr/{LIB}/libfar.so" in kept
    assert "usr/lib/python3/x.libs/libmine.so" in kept


def test_a_missing_library_is_an_error() -> None:
    with pytest.raises(MissingLibraryError, match=r"usr/bin/a needs libgone\.so\.1"):
        pruned(Recipe("x", libraries="needed"), [elf("usr/bin/a", "libgone.so.1")])


def package(name: str) -> Package:
    return Package(name, "1", "amd64", "s", f"pool/{name}.deb", 1, "0" * 64)


def test_packages_of_which_nothing_is_left_are_not_listed() -> None:
    entries = [
        [file("bin/a", "x"), symlink("usr/share/doc/a", "base"), directory("usr/share/doc")],
        [file("usr/share/doc/base/copyright", "GPL")],
        [file("bin/b", "y"), file("usr/share/doc/b/copyright", "BSD")],
    ]
    tree = assemble(entries)
    prune(tree, Recipe("x", only=("usr/bin/a",)), AMD64)
    present = drop_absent(tree, [package("a"), package("base"), package("b")], entries)
    assert [p.name for p in present] == ["a"]
    left = [entry.path for entry in tree if entry.kind != "directory"]
    assert left == ["bin", "usr/bin/a", "usr/share/doc/a", "usr/share/doc/base/copyright"]


def test_accounts() -> None:
    tree = Tree()
    users = [User("ingot", 1000, 1000, "/data"), User("web", 33, 6, "/")]
    for entry in account_entries(users, [Group("disk", 6)]):
        tree.add(entry)
    passwd = tree.get("etc/passwd")
    group = tree.get("etc/group")
    assert passwd is not None
    assert passwd.content is not None
    assert passwd.content.read().decode().splitlines() == [
        "root:x:0:0::/root:/usr/sbin/nologin",
        "ingot:x:1000:1000::/data:/usr/sbin/nologin",
        "web:x:33:6::/:/usr/sbin/nologin",
        "nobody:x:65534:65534::/:/usr/sbin/nologin",
    ]
    assert group is not None
    assert group.content is not None
    assert group.content.read().decode().splitlines() == [
        "root:x:0:",
        "disk:x:6:",
        "ingot:x:1000:",
        "nobody:x:65534:",
    ]
    assert tree.get("data") == directory("data", 0o700, uid=1000, gid=1000)
    assert account_entries([], []) == []
