"""EROFS: whatever the tree, erofs-utils read the same one back."""

import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.appliance.archive import share_equal_files
from ingot.appliance.media.erofs import lay_out
from ingot.appliance.media.pieces import write_pieces
from ingot.oci.tree import Content, Entry, Tree, TreeError, directory, symlink

NAME = st.text("ab+.é", min_size=1, max_size=60).filter(lambda name: name not in {".", ".."})
PATH = st.lists(NAME, min_size=1, max_size=3).map("/".join)
SIZE = st.one_of(st.integers(0, 70), st.integers(3900, 4300), st.integers(0, 20_000))
FILE = st.builds(
    lambda path, size, seed: Entry(
        path, "file", 0o644, content=Content.of((bytes([seed]) + path.encode()) * size)
    ),
    PATH,
    SIZE,
    st.integers(0, 1),
)
ENTRY = st.one_of(FILE, FILE, st.builds(directory, PATH), st.builds(symlink, PATH, PATH))


@settings(max_examples=25)
@given(st.lists(ENTRY, max_size=40))
def test_a_tree_comes_back(entries: list[Entry]) -> None:
    tree = Tree()
    for entry in entries:
        try:
            tree.add(entry)
        except TreeError:
            continue
    with tempfile.TemporaryDirectory() as scratch:
        image, out = Path(scratch, "image"), Path(scratch, "out")
        layout = lay_out(share_equal_files(tree), bytes(16))
        write_pieces(image, layout.size_bytes, layout.pieces)
        command = ["fsck.erofs", f"--extract={out}", "--no-preserve", image]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found = {str(path.relative_to(out)): path for path in out.rglob("*")}
        assert set(found) == {entry.path for entry in tree}
        for entry in tree:
            path = found[entry.path]
            if entry.kind == "symlink":
                assert str(path.readlink()) == str(Path(entry.link or ""))
            elif entry.content is not None:
                assert path.read_bytes() == entry.content.read()
            else:
                assert path.is_dir()
