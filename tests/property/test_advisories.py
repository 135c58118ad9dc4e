"""Orders of versions agree with their reference; ranges with a plain reading of them."""

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from ingot.appliance.advisories.load import open_database
from ingot.appliance.advisories.osv import _in_range, _Range
from ingot.appliance.advisories.pep440 import PythonVersionError, python_version_key
from ingot.appliance.advisories.report import report
from ingot.appliance.sbom import Bill, BilledPackage
from ingot.base.errors import UsageError

_NUMBERS = st.integers(0, 30).map(str)
_RELEASES = st.lists(_NUMBERS, min_size=1, max_size=4).map(".".join)
_PRES = st.sampled_from(["a", "b", "rc", "c", "alpha", ".beta.", "-pre-", "_preview", "RC"])
_VERSIONS = st.builds(
    lambda epoch, release, pre, post, dev, local: f"{epoch}{release}{pre}{post}{dev}{local}",
    st.sampled_from(["", "0!", "1!", "v"]),
    _RELEASES,
    st.just("") | st.builds(lambda word, number: f"{word}{number}", _PRES, st.just("") | _NUMBERS),
    st.sampled_from(["", ".post1", "-2", "post", ".rev3", "_r4"]),
    st.sampled_from(["", ".dev0", "dev", "-dev2"]),
    st.sampled_from(["", "+abc", "+1", "+abc.1", "+1.2", "+ubuntu-1"]),
)


@given(_VERSIONS, _VERSIONS)
def test_python_versions_are_ordered_as_packaging_orders_them(one: str, other: str) -> None:
    ours = python_version_key(one), python_version_key(other)
    theirs = Version(one), Version(other)
    assert (ours[0] < ours[1]) == (theirs[0] < theirs[1])
    assert (ours[0] == ours[1]) == (theirs[0] == theirs[1])


@given(st.text(alphabet="0123456789.abcdevprost-_+! v", max_size=12))
def test_the_same_texts_are_versions(text: str) -> None:
    try:
        Version(text)
    except InvalidVersion:
        is_version = False
    else:
        is_version = True
    try:
        python_version_key(text)
    except PythonVersionError:
        assert not is_version, text
    else:
        assert is_version, text


@given(
    st.lists(st.integers(1, 20), unique=True, max_size=6).map(sorted),
    st.booleans(),
    st.integers(0, 21),
)
def test_ranges_begin_and_end_in_turn(cuts: list[int], from_the_start: bool, own: int) -> None:
    """Whoever counts the events up to a version knows whether it is inside."""
    words = ["introduced", "fixed"] * 4
    events = [{"introduced": "0"}] if from_the_start else []
    words = words[1:] if from_the_start else words
    events += [{word: str(cut)} for word, cut in zip(words, cuts, strict=False)]
    inside = (from_the_start + sum(cut <= own for cut in cuts)) % 2 == 1
    found = _Range("ECOSYSTEM", list(reversed(events)))
    assert _in_range(own, found, int) == inside


_BILL = Bill(
    {"i": ""},
    [
        BilledPackage("i", "wheel", "p", "1.0"),
        BilledPackage("i", "deb", "p", "1.0-1", "", "debian", "bookworm", ("p", "1.0-1")),
    ],
)
_WORDS = [
    *("id", "modified", "affected", "package", "ecosystem", "name", "ranges", "events", "type"),
    *("introduced", "fixed", "versions", "releases", "status", "urgency", "fixed_version", "p"),
    *("bookworm", "PyPI", "Debian:12", "ECOSYSTEM", "resolved", "open", "0", "1.0", "2"),
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(_WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_file_is_a_database_or_refused(document: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.json")
        path.write_text(json.dumps(document))
        try:
            report(_BILL, [open_database(path)])
        except UsageError:
            return
