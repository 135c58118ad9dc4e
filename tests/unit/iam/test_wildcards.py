import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.iam.wildcards import Pattern

_PIECES = st.lists(st.sampled_from(["*", "?", "a", "b", "/"]), max_size=8).map("".join)
_VALUES = st.text("ab/", max_size=10)


@given(_PIECES, _VALUES)
def test_stars_and_marks_match_as_in_the_shell(text: str, value: str) -> None:
    expected = re.fullmatch(fnmatch.translate(text), value) is not None
    assert expected == Pattern(text).matches(value, {})


def test_many_stars_take_no_long_time() -> None:
    assert not Pattern("*a" * 200).matches("a" * 199 + "b" * 900, {})


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("home/${aws:username}/*", "home/ann/x", True),
        ("home/${aws:USERNAME}/*", "home/ann/x", True),
        ("home/${aws:username}/*", "home/bob/x", False),
        ("${aws:userid}", "", False),
        ("${aws:userid, 'nobody'}", "nobody", True),
        ("${*}.txt", "*.txt", True),
        ("${*}.txt", "a.txt", False),
        ("${?}${$}", "?$", True),
        # Two values are none to stand for.
        ("${aws:tagkeys}", "a", False),
    ],
)
def test_variables_stand_for_values_of_the_request(text: str, value: str, expected: bool) -> None:
    context = {"aws:username": ["ann"], "aws:tagkeys": ["a", "b"]}
    assert expected == Pattern(text).matches(value, context)


def test_what_a_variable_stands_for_is_no_pattern() -> None:
    assert not Pattern("home/${aws:username}/*").matches("home/bob/x", {"aws:username": ["*"]})
    assert Pattern("home/${aws:username}/*").matches("home/*/x", {"aws:username": ["*"]})


def test_policies_of_2008_have_no_variables() -> None:
    assert Pattern("${aws:username}", variables=False).matches("${aws:username}", {})


def test_a_variable_has_a_name() -> None:
    with pytest.raises(ValueError, match="no name"):
        Pattern("${ }")


def test_the_literal_keeps_what_matching_would_expand() -> None:
    context = {"aws:username": ["ann"]}
    assert Pattern("**?${aws:username}").literal(context) == "**?ann"
    assert Pattern("${aws:userid}").literal(context) is None
