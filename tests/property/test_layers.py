"""Layers of any shape: stacked as a plain model says, and damaged ones end in an error of ours."""

import contextlib
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.base.errors import Error
from ingot.oci.digest import digest_of
from ingot.oci.layers import layer_entries, stack
from ingot.oci.layout import open_layout
from ingot.oci.manifest import ConfigDocument, decode, decode_manifest, platform_for
from ingot.oci.reference import parse_reference
from ingot.oci.sources import load_image
from ingot.oci.tree import Content, Entry, directory, file
from ingot.testing.images import SmallImage, gzipped, member, tar_of, write_layout

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
Model = dict[str, str | None]
"""Contents of files by path; None is a directory."""


@st.composite
def layers(draw: st.DrawFn) -> list[Entry]:
    """Draw entries whose parents are no files of the same layer, each path once."""
    found: dict[str, Entry] = {}
    for path in draw(st.lists(PATHS, max_size=6)):
        parents = [path[:index] for index, char in enumerate(path) if char == "/"]
        below = any(other.startswith(f"{path}/") for other in found)
        if any(parent in found and found[parent].kind == "file" for parent in parents):
            continue
        is_file = not below and draw(st.booleans())
        found[path] = file(path, draw(st.text("xy", max_size=3))) if is_file else directory(path)
    whiteouts = draw(st.lists(PATHS, max_size=3))
    for path in whiteouts:
        folder, _, name = path.rpartition("/")
        white = f"{folder}/.wh.{name}" if folder else f".wh.{name}"
        found[white] = file(white, "")
    for folder in draw(st.lists(PATHS, max_size=1)):
        found[f"{folder}/.wh..wh..opq"] = file(f"{folder}/.wh..wh..opq", "")
    return list(found.values())


def remove(model: Model, path: str, *, itself: bool) -> None:
    for name in list(model):
        if name.startswith(f"{path}/") or (itself and name == path):
            del model[name]


def apply(model: Model, layer: list[Entry]) -> None:
    """Do to the model what layer.md says a layer does."""
    for entry in layer:
        folder, _, name = entry.path.rpartition("/")
        if name == ".wh..wh..opq":
            remove(model, folder, itself=False)
        elif name.startswith(".wh."):
            target = name.removeprefix(".wh.")
            remove(model, f"{folder}/{target}" if folder else target, itself=True)
    for entry in layer:
        if ".wh." in entry.path:
            continue
        parents = [entry.path[:index] for index, char in enumerate(entry.path) if char == "/"]
        for parent in parents:
            model.setdefault(parent, None)
        if entry.kind == "file":
            remove(model, entry.path, itself=True)
            assert entry.content is not None
            model[entry.path] = entry.content.read().decode()
        else:
            model[entry.path] = None


def fits(model: Model, layer: list[Entry]) -> bool:
    """Say whether no entry lies below a file that stays."""
    trial = dict(model)
    apply(trial, [entry for entry in layer if ".wh." in entry.path])
    for entry in layer:
        parents = [entry.path[:index] for index, char in enumerate(entry.path) if char == "/"]
        if ".wh." not in entry.path and any(trial.get(parent) is not None for parent in parents):
            return False
    return True


@given(st.lists(layers(), max_size=4))
@settings(deadline=None, max_examples=150)
def test_stacking_agrees_with_a_model(drawn: list[list[Entry]]) -> None:
    model: Model = {}
    kept = []
    for layer in drawn:
        if fits(model, layer):
            apply(model, layer)
            kept.append(layer)
    tree = stack(kept)
    found = {
        entry.path: entry.content.read().decode() if entry.content is not None else None
        for entry in tree
    }
    assert found == model


LINK = member("link", b"", type=tarfile.SYMTYPE, linkname="etc")
TAR = tar_of(member("etc"), member("etc/motd", b"hello" * 50), LINK, member("etc/.wh.x", b""))
PACKED = gzipped(TAR)


@given(st.integers(0, len(TAR) - 1), st.integers(1, 255), st.booleans())
@settings(deadline=None, max_examples=100)
def test_a_damaged_layer_ends_in_an_error_of_ours(place: int, flip: int, packed: bool) -> None:
    data = bytearray(PACKED if packed else TAR)
    data[place % len(data)] ^= flip
    # Digests of the damaged bytes: what is in the tar must be refused for itself.
    digest = digest_of(bytes(data))
    diff_id = digest if not packed else digest_of(TAR)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Error):
        stack([layer_entries(Content.of(bytes(data)), digest, diff_id, Path(folder))])


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_documents_of_any_bytes_end_in_an_error_of_ours(data: bytes) -> None:
    with contextlib.suppress(Error):
        decode_manifest(data, "x")
    with contextlib.suppress(Error):
        decode(data, ConfigDocument, "x")


@given(st.text(max_size=80))
def test_references_of_any_text_are_read_or_refused(text: str) -> None:
    with contextlib.suppress(Error):
        full = str(parse_reference(text))
        assert str(parse_reference(full)) == full


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(deadline=None, max_examples=30)
def test_a_damaged_layout_ends_in_an_error_of_ours(place: int, flip: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = SmallImage([TAR])
        write_layout(folder / "l", {"app": [image]})
        target = folder / "l" / "index.json"
        data = bytearray(target.read_bytes())
        data[place % len(data)] ^= flip
        target.write_bytes(data)
        with contextlib.suppress(Error):
            layout = open_layout(folder / "l")
            for root in layout.images():
                load_image(layout, root, platform_for("amd64"), "x", folder / "cache")
