"""YAML scalars follow YAML 1.2; wrong kinds are problems, not exceptions."""

import pytest

from ingot.base.document import DocumentError, Reader


def value(text: str):
    reader = Reader("x.yml")
    node = reader.compose(text)
    return None if node is None else reader.plain(node)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("012", 12),
        ("0o14", 12),
        ("0xC", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("'12'", "12"),
        ("|\n  12\n", "12\n"),
        ("[a, 1, {b: ~}]", ["a", 1, {"b": None}]),
        ("", None),
    ],
)
def test_scalars(text: str, expected: object) -> None:
    assert value(text) == expected


def test_wrong_kinds_are_collected() -> None:
    reader = Reader("x.yml")
    root = reader.compose("a: [1]\nb: {}\nc: 70000\nd: maybe\ne: bule\n")
    assert root is not None
    nodes = reader.mapping(root)
    assert reader.string(nodes["a"]) is None
    assert list(reader.items(nodes["b"])) == []
    assert reader.integer(nodes["c"], high=65535) is None
    assert reader.boolean(nodes["d"]) is None
    assert reader.choice(nodes["e"], ["red", "blue"]) is None
    with pytest.raises(DocumentError) as caught:
        reader.finish()
    assert caught.value.message.splitlines() == [
        "x.yml:1:4: a string is expected here, not a list",
        "x.yml:2:4: a list is expected here, not a mapping",
        "x.yml:3:4: 70000 is not between 0 and 65535",
        "x.yml:4:4: true or false is expected here",
        "x.yml:5:4: 'bule' is none of blue, red; did you mean 'blue'?",
    ]


def test_no_problems_no_error() -> None:
    Reader("x.yml").finish()
