"""Bash's quotes: reads a command line as far as it was typed, and writes how it goes on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

_BLANKS = " \t\n"
# Between double quotes these must be quoted, and a backslash quotes nothing else.
_QUOTABLE = '$`"\\'
# All that means something, somewhere in a word.
_SPECIAL = _QUOTABLE + "'!#&()*;<>?[]^{|}~" + _BLANKS


@dataclass(slots=True)
class TypedLine:
    """A command line up to the cursor.

    Args:
        words: those that are finished, the command first; redirections are no words.
        last: the one that the cursor is at the end of; empty after a blank.
        raw_last: the same as it was typed, with its quotes.
        quote: the quotation mark that is still open there, if one is.
        redirects: whether the last one is the file of a redirection.
    """

    words: list[str] = field(default_factory=list)
    last: str = ""
    raw_last: str = ""
    quote: str = ""
    redirects: bool = False


def read_typed(line: str) -> TypedLine:
    """Read a simple command; its last word may have open quotes, variables stand for themselves."""
    typed = TypedLine()
    index = 0
    while index < len(line):
        character = line[index]
        if character in _BLANKS:
            _finish(typed)
            index += 1
        elif character in "<>":
            # In 2>file the digit belongs to the redirection.
            if not typed.raw_last.isdigit():
                _finish(typed)
            typed.last = typed.raw_last = ""
            typed.redirects = True
            index += 1
        else:
            taken, text, typed.quote = _piece(line, index)
            typed.last += text
            typed.raw_last += line[index : index + taken]
            index += taken
    return typed


def unquoted(raw: str) -> str:
    """Return what the beginning of a word stands for."""
    return read_typed(raw).last


def quoted(text: str, quote: str) -> str:
    """Write text so that it stands for itself, after a quotation mark or none."""
    if quote == "'":
        return text.replace("'", "'\\''")
    special = _QUOTABLE if quote else _SPECIAL
    return "".join(f"\\{each}" if each in special else each for each in text)


def _finish(typed: TypedLine) -> None:
    if not typed.raw_last:
        return
    if not typed.redirects:
        typed.words.append(typed.last)
    typed.last = typed.raw_last = typed.quote = ""
    typed.redirects = False


def _piece(line: str, index: int) -> tuple[int, str, str]:
    """Return the length of the next piece of a word, what it stands for, and an open quote."""
    character = line[index]
    if character == "\\":
        return min(2, len(line) - index), line[index + 1 : index + 2], ""
    if character == "'":
        text, closing, _ = line[index + 1 :].partition("'")
        return 1 + len(text) + len(closing), text, "" if closing else "'"
    if character == '"':
        return _double_quoted(line, index)
    return 1, character, ""


def _double_quoted(line: str, start: int) -> tuple[int, str, str]:
    text = ""
    index = start + 1
    while index < len(line):
        if line[index] == '"':
            return index + 1 - start, text, ""
        if line[index] == "\\" and line[index + 1 : index + 2] in (*_QUOTABLE, ""):
            index += 1
        text += line[index : index + 1]
        index += 1
    return len(line) - start, text, '"'
