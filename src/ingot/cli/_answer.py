"""Answers a shell that asks how a command line may go on; says nothing else, whatever happens.

The scripts in completions/ run `ingot` with the variable `_INGOT_COMPLETE`, which names the shell:

- bash: `ingot LINE REPLACED TYPE`, the line up to the cursor, how much of its end will be replaced,
  and why (`COMP_TYPE`). Readline cuts words at colons and the like, and leaves quotes as they are.
- zsh, fish: `ingot WORD… LAST`, the words without their quotes; LAST is the one at the cursor.

The answer is a line for each thing that may stand there: KIND, VALUE and one more field, separated
by the ASCII unit separator. `word` and `address` are offered as they are, with a description; a
word that ends with `=` goes on without a blank. `file` and `dir` leave local paths to the shell;
their last field is what stands before the path in the same word.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple

from click.shell_completion import CompletionItem, ShellComplete

from ingot.cli._completion import ADDRESS, NAME, patience_s

_SEPARATOR = "\x1f"
_HELP_LENGTH_MAX = 80
# Readline writes nothing then, it only shows what there is.
_SHOWN = str(ord("?"))


class Question(NamedTuple):
    """What a shell asked.

    Attributes:
        words: the finished words after the command.
        last: the word at the cursor, as far as it was typed.
        kept: the beginning of it that the shell will not replace.
        written: writes the rest of an address as the shell wants it; most quote by themselves.
        named: does so for other names, which have no segments.
        redirects: whether it is no argument at all, but the file of a redirection.
    """

    words: list[str]
    last: str
    kept: str = ""
    written: Callable[[str], str] = str
    named: Callable[[str], str] = str
    redirects: bool = False


def answer(shell: str, arguments: list[str]) -> int:
    """Write what may stand there, or nothing if that is not known soon; return the exit code."""
    lines: list[bytes] = []

    def find() -> None:
        # A shell's user sees no errors while typing; the command itself will say them.
        with contextlib.suppress(Exception):
            lines.extend(_lines(_question(shell, arguments)))

    finder = threading.Thread(target=find, daemon=True)
    finder.start()
    # An answer that trickles in, or the look-up of a name, has no end of its own.
    finder.join(patience_s())
    if not finder.is_alive():
        with contextlib.suppress(OSError):
            sys.stdout.buffer.write(b"".join(lines))
            sys.stdout.buffer.flush()
    return 0


def _question(shell: str, arguments: list[str]) -> Question:
    if shell != "bash":
        return Question(arguments[:-1], arguments[-1] if arguments else "")
    from ingot.cli._shellwords import quoted, read_typed, unquoted

    line, replaced, why = arguments
    typed = read_typed(line)
    kept = unquoted(typed.raw_last.removesuffix(replaced))
    question = Question(typed.words[1:], typed.last, kept, redirects=typed.redirects)
    if why == _SHOWN:
        return question._replace(written=_last_segment)

    def write(text: str) -> str:
        return quoted(text, typed.quote)

    return question._replace(written=write, named=write)


def _last_segment(address: str) -> str:
    name = address.rstrip("/").rpartition("/")[2]
    return f"{name}/" if address.endswith("/") else name


def _lines(question: Question) -> list[bytes]:
    found = []
    # --option=VALUE is one word.
    option, sign, _ = question.last.partition("=")
    before = f"{option}{sign}" if sign and option.startswith("--") else ""
    for item in _items(question):
        if item.type in {"file", "dir"}:
            fields = (item.type, item.value, item.help or "")
        else:
            kind = ADDRESS if item.type == ADDRESS else "word"
            value = f"{before}{item.value}".removeprefix(question.kept)
            written = {ADDRESS: question.written, NAME: question.named}.get(item.type, str)(value)
            fields = (kind, written, _shortened(item.help or ""))
        with contextlib.suppress(UnicodeEncodeError):
            # A line break or the like would be taken for another item, or steer the terminal.
            if not any(map(_is_control, "".join(fields))):
                found.append(f"{_SEPARATOR.join(fields)}\n".encode())
    return found


def _items(question: Question) -> list[CompletionItem[str]]:
    from ingot.cli.main import COMPLETION_VARIABLE, ingot

    if question.redirects:
        return [CompletionItem(question.last, type="file")]
    asked = ShellComplete(ingot, {}, "ingot", COMPLETION_VARIABLE)
    return asked.get_completions(question.words, question.last)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _HELP_LENGTH_MAX else f"{line[: _HELP_LENGTH_MAX - 1]}…"


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"
