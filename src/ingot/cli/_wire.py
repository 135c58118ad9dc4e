"""The options of `ingot` that hold for every object command, before the verb and after it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SAID = "ingot.wire"
_FOLDER = "ingot.config-dir"
_FOLDER_VARIABLES = ("INGOT_CONFIG_DIR", "MC_CONFIG_DIR")


def _take(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Make the connections of this run as this option says, too.

    Raises:
        UsageError: it cannot be understood.
    """
    if not value:
        return
    from dataclasses import replace

    from ingot.client.wire import Wire, current, parse_wire, use

    if _SAID not in ctx.meta:
        ctx.meta[_SAID] = {}
        ctx.find_root().call_on_close(lambda: use(Wire()))
    said = ctx.meta[_SAID]
    name = str(param.name)
    said[name] = (*said.get(name, ()), *value) if isinstance(value, tuple) else value
    read = parse_wire(**said)
    use(replace(current(), options=read.options, headers=read.headers, is_traced=read.is_traced))


def _take_folder(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    # mc's file is looked for there, too, and nowhere else: it is how scripts keep to themselves.
    if value:
        ctx.meta[_FOLDER] = value
        for variable in _FOLDER_VARIABLES:
            _set_variable(ctx, variable, value)


def _take_colour(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        _set_variable(ctx, "NO_COLOR", "1")


def _set_variable(ctx: click.Context, name: str, value: str) -> None:
    before = os.environ.get(name)

    def restore() -> None:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before

    os.environ[name] = value
    ctx.find_root().call_on_close(restore)


_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("--limit-upload",),
        {"metavar": "RATE", "callback": _take, "help": "Bytes a second, as 10M."},
    ),
    (
        ("--limit-download",),
        {"metavar": "RATE", "callback": _take, "help": "Bytes a second, as 10M."},
    ),
    (
        ("--resolve",),
        {
            "multiple": True,
            "metavar": "HOST[:PORT]=IP",
            "callback": _take,
            "help": "Connect there for this service's name. Repeatable.",
        },
    ),
    (
        ("--insecure",),
        {"is_flag": True, "callback": _take, "help": "Take any certificate of a service."},
    ),
    (
        ("--custom-header", "-H", "headers"),
        {
            "multiple": True,
            "metavar": "'NAME: VALUE'",
            "callback": _take,
            "help": "Send this with every request to a service. Repeatable.",
        },
    ),
    (
        ("--debug",),
        {"is_flag": True, "callback": _take, "help": "Show requests and answers."},
    ),
    (
        ("--config-dir", "-C"),
        {"metavar": "FOLDER", "callback": _take_folder, "help": "Where aliases are kept."},
    ),
    (
        ("--no-color",),
        {"is_flag": True, "callback": _take_colour, "help": "Print without colours."},
    ),
    # There is no pager; scripts for mc say so all the same.
    (("--disable-pager", "--dp"), {"is_flag": True, "hidden": True}),
)
# What a header is called depends on the service, and a folder of mc's is only read.
_WITHOUT_VARIABLE = {"--custom-header", "--config-dir", "--disable-pager"}


def wire_options(command: _Command) -> _Command:
    """Give `ingot` these options; most have a variable, and mc's."""
    for names, details in reversed(_OPTIONS):
        variables = None
        if names[0] not in _WITHOUT_VARIABLE:
            word = names[0].removeprefix("--").replace("-", "_").upper()
            variables = [f"INGOT_{word}", f"MC_{word}"]
        command = click.option(*names, envvar=variables, expose_value=False, **details)(command)
    return command


def accept_after_verb(command: click.Command) -> None:
    """Let a verb, and verbs below it, take these options as well; once is enough.

    Their help does not repeat them.
    """
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            accept_after_verb(inner)
    taken = {name for param in command.params for name in param.opts}
    for names, details in _OPTIONS:
        if names[0] not in taken:
            hidden = {**details, "hidden": True}
            command.params.append(click.Option(names, expose_value=False, **hidden))


def hold_on(ctx: click.Context) -> None:
    """Let what was said hold once more, for a command line that was read and not run.

    What shows requests does not: a shell waits for nothing but the answer.

    Raises:
        UsageError: something that was said cannot be understood.
    """
    if _FOLDER in ctx.meta:
        os.environ.update(dict.fromkeys(_FOLDER_VARIABLES, ctx.meta[_FOLDER]))
    said = {name: value for name, value in ctx.meta.get(_SAID, {}).items() if name != "debug"}
    if said:
        from ingot.client.wire import parse_wire, use

        use(parse_wire(**said))


def zip_option(command: _Command) -> _Command:
    """Give a command that reads `--zip`, a header that MinIO has beside S3."""

    def take(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        headers = next(one for one in ctx.command.params if one.name == "headers")
        _take(ctx, headers, ("x-minio-extract: true",) if value else ())

    return click.option(
        "--zip",
        is_flag=True,
        expose_value=False,
        callback=take,
        help="Look into a zip file, KEY.zip/NAME, where the service can (MinIO).",
    )(command)
