"""Trees follow the rules of extracting tar archives one after the other."""

import hashlib

import pytest

from ingot.base.errors import IntegrityError
from ingot.oci.tree import Content, Entry, Tree, TreeError, directory, file, symlink


def tree_of(*entries: Entry) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


def paths(tree: Tree) -> list[str]:
    return [entry.path for entry in tree]


def test_parents_are_made_and_come_first() -> None:
    tree = tree_of(file("a/b/c", "x"), file("a-b", "y"))
    assert paths(tree) == ["a", "a-b", "a/b", "a/b/c"]
    assert tree.get("a/b") == directory("a/b")


def test_last_writer_wins_and_keeps_its_own_mode() -> None:
    tree = tree_of(file("f", "one", 0o600), file("f", "two", 0o755))
    assert tree.get("f") == file("f", "two", 0o755)


def test_paths_below_a_symlink_land_where_it_points() -> None:
    tree = tree_of(directory("usr/bin"), symlink("bin", "usr/bin"), file("bin/sh", "x"))
    assert paths(tree) == ["bin", "usr", "usr/bin", "usr/bin/sh"]


def test_absolute_and_chained_symlinks_stay_inside_the_tree() -> None:
    tree = tree_of(symlink("a", "/b"), symlink("b", "../../c"), file("a/f", "x"))
    assert "c/f" in tree


def test_a_directory_does_not_replace_a_symlink_to_a_directory() -> None:
    tree = tree_of(directory("usr/lib"), symlink("lib", "usr/lib"), directory("lib", 0o700))
    assert tree.get("lib") == symlink("lib", "usr/lib")


def test_a_file_does_not_replace_a_filled_directory() -> None:
    tree = tree_of(file("d/f", "x"))
    with pytest.raises(TreeError, match="not empty"):
        tree.add(file("d", "x"))


def test_an_empty_directory_may_become_a_link() -> None:
    tree = tree_of(directory("d"), directory("e"), symlink("d", "e"), file("d/f", "x"))
    assert "e/f" in tree
    assert "d/f" not in tree


def test_nothing_lies_below_a_file() -> None:
    with pytest.raises(TreeError, match="is a file"):
        tree_of(file("f", "x"), file("f/g", "y"))


def test_a_symlink_loop_is_refused() -> None:
    with pytest.raises(TreeError, match="symbolic links"):
        tree_of(symlink("a", "b"), symlink("b", "a"), file("a/f", "x"))


@pytest.mark.parametrize("path", ["", "/etc", "a//b", "../a", "a/../b", "a/.", "./a", "a/", "a\0b"])
def test_unclean_paths_are_refused(path: str) -> None:
    with pytest.raises(TreeError):
        tree_of(file(path, "x"))


def test_a_hard_link_becomes_a_file_of_its_own() -> None:
    link = Entry("b", "hardlink", 0o644, link="a")
    tree = tree_of(file("a", "body", 0o755), link, file("a", "other"))
    assert tree.get("b") == file("b", "body", 0o755)


def test_a_hard_link_to_nothing_is_refused() -> None:
    with pytest.raises(TreeError, match="hard link"):
        tree_of(Entry("b", "hardlink", 0o644, link="a"))


def test_remove_takes_everything_below_and_nothing_beside() -> None:
    tree = tree_of(file("a/b/c", ""), file("a/bc", ""), file("a/b/d/e", ""))
    tree.remove("a/b")
    assert paths(tree) == ["a", "a/bc"]


def test_removed_directories_come_back_when_needed() -> None:
    tree = tree_of(file("a/b", ""))
    tree.remove("a")
    tree.add(file("a/c", ""))
    assert paths(tree) == ["a", "a/c"]


def test_merge_below_a_prefix() -> None:
    outer = tree_of(file("etc/hosts", "x"))
    outer.merge(tree_of(symlink("lib", "/usr/lib"), file("f", "y")), "containers/app/rootfs")
    assert "containers/app/rootfs/lib" in outer
    assert outer.get("containers/app/rootfs/f") == file("containers/app/rootfs/f", "y")


def test_resolve_follows_links_like_a_process_with_this_root() -> None:
    tree = tree_of(file("usr/bin/busybox", "x"), symlink("bin", "usr/bin"))
    tree.add(symlink("usr/bin/sh", "/bin/busybox"))
    tree.add(symlink("up", "../../usr"))
    assert tree.resolve("bin/sh") == tree.get("usr/bin/busybox")
    assert tree.resolve("up/bin/../bin/sh") == tree.get("usr/bin/busybox")
    assert tree.resolve("bin/missing") is None
    assert tree.resolve("usr/bin/busybox/x") is None


def test_digest_tells_every_difference() -> None:
    base = tree_of(file("f", "x"))
    variants = [
        tree_of(file("g", "x")),
        tree_of(file("f", "y")),
        tree_of(file("f", "x", 0o600)),
        tree_of(file("f", "x", uid=1)),
        tree_of(symlink("f", "x")),
        tree_of(Entry("f", "char", 0o644, device=(1, 3))),
    ]
    digests = {tree.digest() for tree in (base, *variants)}
    assert len(digests) == 1 + len(variants)
    assert base.digest() == tree_of(file("f", "x")).digest()


def test_content_reads_its_range_of_a_file(tmp_path) -> None:
    path = tmp_path / "bodies"
    path.write_bytes(b"0123456789")
    content = Content(4, path=str(path), offset=3)
    assert content.read() == b"3456"
    assert content.slice(1, 2) == b"45"
    assert content.slice(2, 99) == b"56"
    assert content.sha256() == hashlib.sha256(b"3456").hexdigest()


def test_content_that_was_cut_is_an_error(tmp_path) -> None:
    path = tmp_path / "bodies"
    path.write_bytes(b"0123")
    with pytest.raises(IntegrityError, match="2 bytes early"):
        Content(4, path=str(path), offset=2).read()
