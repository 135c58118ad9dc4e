"""Appliance files and archives under arbitrary input: order holds, nothing is lost."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from ingot.appliance.archive import write_tar
from ingot.appliance.cpio import write_cpio
from ingot.appliance.documents import Document
from ingot.appliance.spec import parse_appliance
from ingot.base.document import DocumentError
from ingot.oci.tree import Tree, directory, file, symlink

_NAMES = [f"s{index}" for index in range(8)]
_KEYS = [
    *("name", "image", "command", "capabilities", "binds", "ready"),
    *("url", "devices", "path", "type", "uid", "mode"),
    *("rlimits", "depends", "address", "dns", "label", "contents"),
    *("runtime", "mkdir", "interfaces", "mounts", "bindNS", "resources", "memory", "limit"),
    *("override", "remove", "format", "platforms", "metadata", "uidMappings", "size"),
]
_SECTIONS = [
    *("kernel", "init", "volumes", "onboot", "onshutdown", "services", "files", "trust"),
    *("data", "network"),
]
_PARTS = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1)
_PATHS = st.lists(_PARTS.filter(lambda part: part not in {".", ".."}), min_size=1, max_size=3)


@given(st.permutations(_NAMES), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_services_come_after_their_needs_and_move_no_more_than_that(
    written: list[str], edges: set[tuple[int, int]]
) -> None:
    # An edge from a lower to a higher number only, so there is never a circle.
    needs = {
        name: {f"s{low}" for low, high in edges if low < high and name == f"s{high}"}
        for name in _NAMES
    }
    text = "services:\n" + "".join(
        f"- {{name: {name}, image: component:x, depends: {sorted(needs[name])}}}\n"
        for name in written
    )
    order = [s.name for s in parse_appliance([Document(text, "f")], name="f").services]
    assert sorted(order) == _NAMES
    place = {name: index for index, name in enumerate(order)}
    assert all(place[need] < place[name] for name, wanted in needs.items() for need in wanted)
    if all(written.index(need) < written.index(name) for name in _NAMES for need in needs[name]):
        assert order == list(written)


@given(st.text(max_size=200))
def test_any_text_is_an_appliance_or_a_list_of_mistakes(text: str) -> None:
    _parses_or_names_mistakes(text)


@given(
    st.dictionaries(
        st.sampled_from(_SECTIONS),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.sampled_from(["a", "all", "/x:/y", "1s"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(_KEYS),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
    )
)
def test_any_shape_is_an_appliance_or_a_list_of_mistakes(document: dict[str, object]) -> None:
    # Python's own form of such values is YAML's flow style.
    text = repr(document).replace("None", "null").replace("True", "true").replace("False", "false")
    _parses_or_names_mistakes(text)


_ENTRIES = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4)


@given(st.lists(_ENTRIES, min_size=1, max_size=4))
def test_files_are_merged_as_if_they_were_one(files: list[list[str]]) -> None:
    texts = [
        "".join(f"- {{name: {name}, image: i/{name}, env: ['FROM={number}']}}\n" for name in names)
        for number, names in enumerate(files)
    ]
    parts = [Document(f"onboot:\n{text}" if text else "onboot: []\n", "f") for text in texts]
    whole = Document("onboot:\n" + "".join(texts) if any(texts) else "onboot: []\n", "f")
    merged = parse_appliance(parts, name="f")
    assert merged == parse_appliance([whole], name="f")
    assert parse_appliance([Document(merged.yaml_text, "f")], name="f") == merged


@given(_ENTRIES, _ENTRIES, _ENTRIES)
def test_entries_are_overridden_and_removed_where_they_stand(
    names: list[str], overridden: list[str], removed: list[str]
) -> None:
    def section(entries: list[str]) -> Document:
        return Document(
            "services:\n" + "".join(f"- {e}\n" for e in entries) if entries else "{}", "f"
        )

    overridden = [name for name in overridden if name in names]
    removed = [name for name in removed if name in names]
    merged = parse_appliance(
        [
            section([f"{{name: {name}, image: i, cwd: /old, hostname: {name}}}" for name in names]),
            section([f"{{name: {name}, override: true, cwd: /new}}" for name in overridden]),
            section([f"{{name: {name}, remove: true}}" for name in removed]),
        ],
        name="f",
    )
    found = [(s.name, s.settings.cwd, s.settings.hostname) for s in merged.services]
    assert found == [
        (name, "/new" if name in overridden else "/old", name)
        for name in names
        if name not in removed
    ]


def _parses_or_names_mistakes(text: str) -> None:
    mistakes = "f.yml:"
    try:
        parse_appliance([Document(text, "f.yml")], name="f")
    except DocumentError as error:
        mistakes = error.message
    assert mistakes.startswith("f.yml:")


@st.composite
def _trees(draw: st.DrawFn) -> Tree:
    tree = Tree()
    for index, parts in enumerate(draw(st.lists(_PATHS, max_size=6))):
        path = f"{index}/{'/'.join(parts)}"
        kind = draw(st.sampled_from(["file", "directory", "symlink"]))
        if kind == "file":
            tree.add(file(path, draw(st.sampled_from([b"", b"x", b"same" * 200])), 0o640, uid=7))
        elif kind == "symlink":
            tree.add(symlink(path, draw(_PARTS)))
        else:
            tree.add(directory(path, 0o700, gid=9))
    return tree


@given(_trees())
def test_a_tar_stream_holds_the_whole_tree(tree: Tree) -> None:
    sink = io.BytesIO()
    write_tar(tree, sink)
    sink.seek(0)
    with tarfile.open(fileobj=sink) as archive:
        members = {member.name: member for member in archive}
        assert set(members) == {entry.path for entry in tree}
        for entry in tree:
            member = members[entry.path]
            if entry.content is not None:
                body = archive.extractfile(member)
                assert body is not None
                assert body.read() == entry.content.read()
            if entry.kind == "symlink":
                assert member.linkname == entry.link
            assert (member.uid, member.gid) == (entry.uid, entry.gid)


@given(_trees())
def test_a_cpio_archive_holds_the_whole_tree(tree: Tree) -> None:
    sink = io.BytesIO()
    write_cpio(tree, sink)
    data = sink.getvalue()
    found: dict[str, bytes] = {}
    offset = 0
    while True:
        fields = [int(data[offset + 6 + 8 * i : offset + 14 + 8 * i], 16) for i in range(13)]
        name = data[offset + 110 : offset + 110 + fields[11] - 1].decode()
        begin = offset + 110 + fields[11]
        begin += -begin % 4
        if name == "TRAILER!!!":
            break
        found[name] = data[begin : begin + fields[6]]
        offset = begin + fields[6] + -fields[6] % 4
    assert set(found) == {entry.path for entry in tree}
    for entry in tree:
        body = entry.content.read() if entry.content is not None else (entry.link or "").encode()
        assert found[entry.path] == body
