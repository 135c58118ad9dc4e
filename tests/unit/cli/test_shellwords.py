"""Command lines as bash users type them: words without quotes, and quotes where they are needed."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.cli._shellwords import quoted, read_typed, unquoted


@pytest.mark.parametrize(
    ("line", "words", "last"),
    [
        ("ingot", [], "ingot"),
        ("ingot ls ", ["ingot", "ls"], ""),
        ("ingot  ls\ts3/a", ["ingot", "ls"], "s3/a"),
        (r"ingot cat a\ b s3/c\:d", ["ingot", "cat", "a b"], "s3/c:d"),
        ("ingot cat 'a\\b' \"c d", ["ingot", "cat", "a\\b"], "c d"),
        (r'ingot cat "a\$b\n\"', ["ingot", "cat"], r"a$b\n" + '"'),
        (r"ingot cat 'it'\''s", ["ingot", "cat"], "it's"),
        ("ingot cat '' $HOME/x\\", ["ingot", "cat", ""], "$HOME/x"),
        ('ingot cat "open\\', ["ingot", "cat"], "open"),
        ("ingot cat x 2>errors s3/", ["ingot", "cat", "x"], "s3/"),
        ("ingot cat x>out y", ["ingot", "cat", "x"], "y"),
    ],
)
def test_words_are_read_without_their_quotes(line: str, words: list[str], last: str) -> None:
    typed = read_typed(line)
    assert (typed.words, typed.last) == (words, last)


@pytest.mark.parametrize(
    ("line", "raw", "quote"),
    [
        ('ingot cat "a b', '"a b', '"'),
        ("ingot cat 'a b", "'a b", "'"),
        ('ingot cat "a" b', "b", ""),
        ('ingot cat "a"', '"a"', ""),
        ("ingot cat 'a' ", "", ""),
    ],
)
def test_what_was_typed_and_open_quotes_are_known(line: str, raw: str, quote: str) -> None:
    typed = read_typed(line)
    assert (typed.raw_last, typed.quote) == (raw, quote)


def test_the_file_of_a_redirection_is_no_argument() -> None:
    assert read_typed("ingot cat s3/b/k > s").redirects
    assert not read_typed("ingot cat s3/b/k > s ").redirects


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))), st.sampled_from(["", "'", '"']))
def test_what_is_quoted_is_read_as_it_was(text: str, quote: str) -> None:
    written = f"{quote}{quoted(text, quote)}{quote}"
    assert unquoted(written) == text
    # An independent reader agrees, where it knows all quotes of the shell.
    if quote != '"' and text:
        assert shlex.split(written) == [text]
