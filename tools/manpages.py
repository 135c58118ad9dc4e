"""Write the man pages of the `ingot` command, one for each verb, from the help that click has.

`tools/manpages.py FOLDER` writes them; a wheel installs them in share/man/man1 (hatch_build.py).
The same commands make the same bytes.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

_SECTION = "1"
_VERBATIM = "\b"
# Bare, they are dashes, typographic quotes and accents in print, and nothing to copy into a shell.
_ESCAPES = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
}


def pages() -> Iterator[tuple[str, str]]:
    """Yield each page's file name and text, the command's own first."""
    from ingot import __version__
    from ingot.cli.main import ingot

    root = click.Context(ingot, info_name="ingot", **ingot.context_settings)
    verbs = [(name, _command(ingot, root, name)) for name in sorted(ingot.list_commands(root))]
    yield _page("ingot", ingot, root, __version__, verbs)
    for name, verb in verbs:
        context = click.Context(verb, info_name=name, parent=root)
        yield _page(f"ingot-{name}", verb, context, __version__, ())


def _page(
    title: str, command: click.Command, context: click.Context, version: str, verbs: Any
) -> tuple[str, str]:
    summary = _escaped(command.get_short_help_str(limit=200).rstrip("."))
    usage = _synopsis(command, context)
    if nameless := _nameless(command, context):
        # `ingot server DIR` is what the page is about.
        command, context = nameless
        usage = [*_synopsis(command, context), ".br", *usage]
    lines = [
        # No date: it would differ from build to build.
        f'.TH "{title.upper()}" "{_SECTION}" "" "ingot {version}" "Ingot"',
        ".SH NAME",
        f"{_escaped(title)} \\- {summary}",
        ".SH SYNOPSIS",
        *usage,
        ".SH DESCRIPTION",
        *_body(command),
        *_options(command, context, ".SH OPTIONS"),
    ]
    group = context.parent if nameless else context
    if group is not None and isinstance(group.command, click.Group) and not verbs:
        lines += _subcommands(group.command, group)
    if verbs:
        lines.append(".SH COMMANDS")
        for name, verb in verbs:
            short = _escaped(verb.get_short_help_str(limit=200))
            lines += [".TP", f"\\fBingot\\-{_escaped(name)}\\fR({_SECTION})", short]
    lines += [*_variables(command, context), *_exit_codes()]
    others = "ingot\\-alias" if title == "ingot" else "ingot"
    lines += [".SH SEE ALSO", f"\\fB{others}\\fR({_SECTION})"]
    return f"{title}.{_SECTION}", "\n".join(lines) + "\n"


def _nameless(
    command: click.Command, context: click.Context
) -> tuple[click.Command, click.Context] | None:
    """Return the command of a group that runs without its name being written, if one does."""
    if isinstance(command, click.Group):
        for _, inner, below in _below(command, context, ()):
            is_child = below.parent is context
            if is_child and not _usage(inner, below).startswith(below.command_path):
                return inner, below
    return None


def _subcommands(group: click.Group, context: click.Context) -> list[str]:
    lines = [".SH COMMANDS"]
    nameless = _nameless(group, context)
    for path, command, inner in _below(group, context, ()):
        if nameless and command is nameless[0]:
            continue
        lines.append(f'.SS "{_quoted(" ".join(path))}"')
        lines += [*_synopsis(command, inner), ".PP", *_body(command)]
        lines += _options(command, inner, None)
    return lines


def _below(
    group: click.Group, context: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    for name in sorted(group.list_commands(context)):
        command = _command(group, context, name)
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _below(command, inner, (*path, name))
        else:
            yield (*path, name), command, inner


def _command(group: click.Group, context: click.Context, name: str) -> click.Command:
    command = group.get_command(context, name)
    assert command is not None, name
    return command


def _synopsis(command: click.Command, context: click.Context) -> list[str]:
    usage = _usage(command, context)
    path = context.command_path
    if not usage.startswith(path) and context.parent is not None:
        path = context.parent.command_path
    return [f"\\fB{_escaped(path)}\\fR{_escaped(usage.removeprefix(path))}"]


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join(command.get_usage(context).removeprefix("Usage:").split())


def _body(command: click.Command) -> list[str]:
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        text = paragraph.strip("\n")
        if not text.strip():
            continue
        if text.startswith(_VERBATIM):
            lines += [".PP", ".nf", *(_escaped(row) for row in text[1:].strip("\n").split("\n"))]
            lines.append(".fi")
        else:
            lines += [".PP", _escaped(" ".join(text.split()))]
    return lines[1:] if lines[:1] == [".PP"] else lines


def _options(command: click.Command, context: click.Context, heading: str | None) -> list[str]:
    lines: list[str] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            names, meaning = record
            lines += [".TP", f"\\fB{_escaped(names)}\\fR", _escaped(" ".join(meaning.split()))]
    return [heading, *lines] if heading and lines else lines


def _variables(command: click.Command, context: click.Context) -> list[str]:
    lines: list[str] = []
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and parameter.envvar:
            said = parameter.envvar
            names = [said] if isinstance(said, str) else said
            option = max(parameter.opts, key=len)
            lines += [".TP", f"\\fB{', '.join(names)}\\fR", f"As {_escaped(option)}."]
    return [".SH ENVIRONMENT", *lines] if lines else []


def _exit_codes() -> list[str]:
    from ingot.base import errors

    found: dict[int, str] = {0: "Done."}
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.Error):
            found.setdefault(value.exit_code, (value.__doc__ or "").splitlines()[0])
    found |= {130: "Interrupted by Ctrl-C.", 143: "Ended by SIGTERM."}
    lines = [".SH EXIT STATUS"]
    for code, meaning in sorted(found.items()):
        lines += [".TP", f"\\fB{code}\\fR", _escaped(meaning)]
    return lines


def _escaped(text: str) -> str:
    """Write text so that troff shows it as it is, wherever it stands in a line."""
    text = "".join(_ESCAPES.get(character, character) for character in text)
    text = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", text)
    # At the beginning of a line it is a command.
    return f"\\&{text}" if text.startswith(".") else text


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', "\\(dq")


def main() -> int:
    """Write the pages into the folder that was named."""
    (folder,) = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (Path(folder) / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
