"""Path patterns of component.yml."""

import pytest

from ingot.debian.globs import matcher


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("usr/share/doc", "usr/share/doc", True),
        ("usr/share/doc", "usr/share/doc/a/b", True),
        ("usr/share/doc", "usr/share/docs", False),
        ("/usr/bin/", "usr/bin/x", True),
        ("usr/*/x", "usr/bin/x", True),
        ("usr/*/x", "usr/a/b/x", False),
        ("usr/**/x", "usr/a/b/x", True),
        ("usr/**/x", "usr/x", True),
        ("**/*.pyi", "a/b.pyi", True),
        ("**/*.pyi", "b.pyi", True),
        ("**/*.pyi", "b.py", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("*.[ch]", "x.h", True),
        ("*.[!ch]", "x.h", False),
        ("a.b", "axb", False),
        ("a[b", "a[b", True),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert matcher([pattern])(path) is matches


def test_any_of_several_and_none_of_none() -> None:
    both = matcher(["a", "b/*"])
    assert both("a/x")
    assert both("b/c")
    assert not both("c")
    assert not matcher([])("a")
