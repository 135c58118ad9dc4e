"""What servers name as another place."""

from __future__ import annotations

import pytest

from ingot.base.errors import NetworkError
from ingot.transport.urls import joined


@pytest.mark.parametrize(
    ("named", "whole"),
    [
        ("/b?c", "http://h:1/b?c"),
        ("//other/b", "http://other/b"),
        ("https://[::1]:2/", "https://[::1]:2/"),
        ("file:///etc", "file:///etc"),
    ],
)
def test_a_place_is_completed(named: str, whole: str) -> None:
    assert joined("http://h:1/a", named) == whole


@pytest.mark.parametrize(
    "named", ["http://[::1", "http://h:99999/", "http://h:0/", "http://h:x/", "https:///a"]
)
def test_what_is_no_place_is_told(named: str) -> None:
    with pytest.raises(NetworkError, match="none"):
        joined("http://h/", named)
