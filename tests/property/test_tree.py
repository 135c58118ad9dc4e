"""Trees: whatever is put together, parents exist, merging is overlaying, digests follow content."""

from hypothesis import given
from hypothesis import strategies as st

from ingot.oci.tree import Entry, Tree, TreeError, directory, file, symlink

NAME = st.sampled_from(["a", "b", "c", "lib"])
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)
ENTRY = st.one_of(
    st.builds(file, PATH, st.binary(max_size=3), st.sampled_from([0o644, 0o755])),
    st.builds(directory, PATH, st.sampled_from([0o755, 0o700])),
    st.builds(symlink, PATH, PATH),
)


def build(entries: list[Entry]) -> Tree:
    """Add what may be added; entries that cannot stand there are skipped."""
    tree = Tree()
    for entry in entries:
        try:
            tree.add(entry)
        except TreeError:
            continue
    return tree


@given(st.lists(ENTRY, max_size=12))
def test_every_parent_is_a_directory_that_comes_first(entries: list[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in build(entries):
        parent = entry.path.rpartition("/")[0]
        assert not parent or seen[parent] == "directory"
        seen[entry.path] = entry.kind


@given(st.lists(ENTRY, max_size=12))
def test_merging_into_nothing_changes_nothing(entries: list[Entry]) -> None:
    tree = build(entries)
    copy = Tree()
    copy.merge(tree)
    assert list(copy) == list(tree)
    assert copy.digest() == tree.digest()
    copy.merge(tree)
    assert list(copy) == list(tree)


@given(st.lists(ENTRY, max_size=12))
def test_a_prefix_moves_everything_and_nothing_else(entries: list[Entry]) -> None:
    tree = build(entries)
    moved = Tree()
    moved.merge(tree, "root/fs")
    paths = [entry.path for entry in moved if entry.path not in {"root", "root/fs"}]
    assert paths == [f"root/fs/{entry.path}" for entry in tree]


@given(st.lists(ENTRY, max_size=12), PATH)
def test_resolve_agrees_with_where_add_puts_a_file(entries: list[Entry], path: str) -> None:
    tree = build(entries)
    marker = file(f"{path}/marker", "x")
    try:
        tree.add(marker)
    except TreeError:
        return
    found = tree.resolve(marker.path)
    assert found is not None
    assert found.content == marker.content
