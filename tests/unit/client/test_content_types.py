"""The content type that a name is given."""

from __future__ import annotations

import mimetypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.client.given import content_headers_of

_ENDINGS = ("bin", "png", "tar", "gz", "bz2", "json", "svgz", "unheard-of", "")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "image/png"),
        ("folder.d/a.png", "image/png"),
        ("folder.png/a", "application/octet-stream"),
        (".png", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("a.tar.gz", "application/gzip"),
        ("a.txt.bz2", "application/x-bzip2"),
        ("data:,x.png", "image/png"),
    ],
)
def test_the_ending_tells(name: str, kind: str) -> None:
    assert content_headers_of(name) == {"content-type": kind}


@given(
    st.lists(st.sampled_from(["a", ".a", "a.b"]), max_size=2),
    st.sampled_from(["n", ".n", "..n", ".", ""]),
    st.lists(st.sampled_from(_ENDINGS), max_size=3),
)
def test_it_is_what_the_library_says_of_the_whole_name(
    folders: list[str], start: str, endings: list[str]
) -> None:
    name = "/".join([*folders, ".".join([start, *endings])])
    kind, encoding = mimetypes.guess_type(name, strict=False)
    if encoding is None:
        assert content_headers_of(name)["content-type"] == (kind or "application/octet-stream")
