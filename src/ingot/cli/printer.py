"""How commands speak: data on stdout (text or JSON lines), everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from ingot.base.errors import Error
from ingot.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Printer:
    """The one way a command prints.

    Args:
        as_json: JSON lines on stdout; each carries `status`, mc's field names where mc has them.
        quiet: results only.
        no_progress: no bars even on a terminal.
    """

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, no_progress: bool = False
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.no_progress = no_progress

    def data(self, document: dict[str, Any], text: str | None) -> None:
        """Print one result: `document` in JSON mode (status `success` by default), else `text`."""
        if self.as_json:
            sys.stdout.write(_line({"status": "success", **document}, sys.stdout))
        elif text is not None:
            sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Say something that is no result, on stderr; silent with --quiet."""
        if not self.quiet:
            self._aside("info", text, text)

    def warning(self, text: str) -> None:
        """Say what may surprise the user, on stderr, always."""
        self._aside("warning", text, f"warning: {_visible_lines(text)}")

    def _aside(self, status: str, message: str, text: str) -> None:
        # Errors of the JSON mode are there, too: who reads lines must find nothing else.
        if self.as_json:
            sys.stderr.write(_line({"status": status, "message": message.strip()}, sys.stderr))
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def failure(self, error: Error) -> None:
        """Report one failed item of many; the command goes on."""
        print_error(error, as_json=self.as_json)

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask before something destructive; without a terminal only `--yes` consents."""
        if yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        return click.confirm(question, err=True)

    def progress(self) -> AbstractContextManager[Progress]:
        """Return a context that draws progress on a terminal, and stays silent elsewhere."""
        import contextlib

        if self.quiet or self.as_json or self.no_progress:
            return contextlib.nullcontext(SILENT)
        from ingot.cli.progress import progress_for

        return progress_for(sys.stderr)

    @property
    def colour(self) -> bool:
        """Whether stdout takes colour (`NO_COLOR` and `FORCE_COLOR` are honoured)."""
        if os.environ.get("NO_COLOR"):
            return False
        return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def output_options(command: _Command) -> _Command:
    """Give a command `--json` and `--quiet` of its own, so that they work after the verb too."""

    def merge(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
        printer = ctx.find_object(Printer)
        if printer is None:
            printer = ctx.obj = Printer()
        if value:
            setattr(printer, str(param.name), True)
        return value

    for flags, name, text in (
        (("--json",), "as_json", "Print JSON lines instead of text."),
        (("--quiet", "-q"), "quiet", "Print results only."),
        (("--no-progress",), "no_progress", "Draw no progress bars."),
    ):
        command = click.option(
            *flags, name, is_flag=True, expose_value=False, callback=merge, help=text
        )(command)
    return click.make_pass_decorator(Printer, ensure=True)(command)  # type: ignore[return-value] # the decorator keeps the command's parameters


def visible(name: str) -> str:
    """Return a name that cannot steer a terminal: control characters as escapes."""
    if name.isprintable():
        return name
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in name
    )


def print_error(error: Error, *, as_json: bool) -> None:
    """Write `error: …` and `hint: …` to stderr; in JSON mode one object with slug and cause."""
    if as_json:
        told: dict[str, Any] = {"type": "error", "slug": error.slug, "message": error.message}
        if error.hint:
            told["hint"] = error.hint
        told["cause"] = error.cause()
        sys.stderr.write(_line({"status": "error", "error": told}, sys.stderr))
    else:
        sys.stderr.write(f"error: {_visible_lines(error.message)}\n")
        if error.hint:
            sys.stderr.write(f"hint: {_visible_lines(error.hint)}\n")
    sys.stderr.flush()


def _line(document: dict[str, Any], stream: TextIO) -> str:
    """Return a document as a line of JSON that the stream takes, whatever names are in it."""
    # JSON is UTF-8, whatever the locale's encoding; ASCII is that in each of them.
    is_utf8 = (stream.encoding or "utf-8").lower().replace("_", "-") in {"utf-8", "utf8"}
    line = json.dumps(document, ensure_ascii=not is_utf8, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:
        # A file's name need not be UTF-8: its odd bytes are escaped, and come back when read.
        line = json.dumps(document, default=str)
    return line + "\n"


def _visible_lines(text: str) -> str:
    # Some messages have several lines; a name that holds a line break gains nothing by it.
    return "\n".join(visible(line) for line in text.split("\n"))
