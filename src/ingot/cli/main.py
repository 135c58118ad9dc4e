"""The `ingot` command itself: lazy loading of verbs, help in panels, errors and exit codes."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from typing import Any, NoReturn

import click

from ingot import __version__
from ingot.base.errors import Error
from ingot.cli._habits import translate
from ingot.cli._wire import accept_after_verb, wire_options
from ingot.cli.commands import COMMANDS, SHARED_WITH_MC
from ingot.cli.printer import Printer, print_error

JSON_VARIABLES = ("INGOT_JSON", "MC_JSON")
_MC_VERBS = frozenset(row.name for row in SHARED_WITH_MC)
# Shells set it, to their name, when they ask how a command line may go on.
COMPLETION_VARIABLE = "_INGOT_COMPLETE"
_EXIT_CODES = """\b
Exit codes:
  0 ok            4 denied       7 network
  1 failed        5 not found    130 interrupted
  2 usage         6 conflict     143 terminated
  3 partial                      129 hung up
"""


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the table's order."""
        return [row.name for row in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the file that defines the verb."""
        for row in COMMANDS:
            if row.name == cmd_name:
                module, attribute = row.target.split(":")
                command = getattr(importlib.import_module(f"ingot.cli.{module}"), attribute)
                assert isinstance(command, click.Command)
                if row.name in _MC_VERBS:
                    accept_after_verb(command)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Read the words after an object verb; suggest the nearest verb if there is none."""
        try:
            name, command, rest = super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3)
            raise click.NoSuchCommand(args[0], possibilities=near, ctx=ctx) from error
        if command is not None and name in _MC_VERBS:
            rest = translate(command, rest)
        return name, command, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Offer verbs, without importing any of them, or options."""
        from click.shell_completion import CompletionItem

        rows = [row for row in COMMANDS if row.name.startswith(incomplete)]
        verbs = [CompletionItem(row.name, help=row.summary) for row in rows]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; Ctrl-C ends it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Else click ends the line of the `^C`, also where nothing but lines of JSON may stand.
            if not ctx.ensure_object(Printer).as_json:
                click.echo(err=True)
            raise click.Abort from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by panel, without importing any of them."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for row in COMMANDS:
            panels.setdefault(row.panel, []).append((row.name, row.summary))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EXIT_CODES,
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar=JSON_VARIABLES,
    help="Print JSON lines instead of text.",
)
@click.option(
    "--quiet",
    "-q",
    is_flag=True,
    envvar=["INGOT_QUIET", "MC_QUIET"],
    help="Print results only, no progress and no notes.",
)
@click.option(
    "--no-progress", is_flag=True, envvar="INGOT_NO_PROGRESS", help="Draw no progress bars."
)
@wire_options
@click.version_option(__version__, prog_name="ingot")
@click.pass_context
def ingot(ctx: click.Context, /, *, as_json: bool, quiet: bool, no_progress: bool) -> None:
    """Build appliances, boot them, serve S3, and move objects.

    \b
    Examples:
      ingot server ./data
      ingot alias set local http://127.0.0.1:9000
      ingot mirror --watch ./photos local/photos
      ingot build store.yml && ingot run store
    """
    printer = ctx.ensure_object(Printer)
    printer.as_json, printer.quiet, printer.no_progress = as_json, quiet, no_progress


def main() -> NoReturn:
    """Run the command line and exit with the code that DESIGN §5 gives the outcome."""
    # SIGPIPE stays ignored, as Python sets it: a peer that closes a socket must be an error that
    # can be handled, not the end of the process. Click leaves quietly when stdout is closed.
    signal.signal(signal.SIGTERM, _ended)
    # A terminal that is closed ends us as kindly; under `nohup` it does not end us at all.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _ended)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a locale has no letter for is no reason to end; standard error is so by itself.
        sys.stdout.reconfigure(errors="backslashreplace")
    if shell := os.environ.get(COMPLETION_VARIABLE):
        from ingot.cli._answer import answer

        sys.exit(answer(shell, sys.argv[1:]))
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line in this process and return its exit code."""
    printer = Printer()
    try:
        result: Any = ingot.main(arguments, prog_name="ingot", standalone_mode=False, obj=printer)
    except Error as error:
        # A `--json` may also be a word of a command that `ingot exec` runs in a machine.
        print_error(error, as_json=printer.as_json)
        return error.exit_code
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except _EndedError as end:
        return end.exit_code
    except click.ClickException as error:
        return _usage_error(error, as_json=printer.as_json or _wants_json(arguments))
    return result if isinstance(result, int) else 0


class _EndedError(BaseException):
    """A signal arrived: unwind, clean up, and exit as the shell has it."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.exit_code = 128 + signum


def _ended(signum: int, frame: object) -> NoReturn:
    raise _EndedError(signum)


def _wants_json(arguments: list[str]) -> bool:
    # Errors of the parser itself happen before any option is known.
    until = arguments.index("--") if "--" in arguments else len(arguments)
    return "--json" in arguments[:until] or any(
        os.environ.get(name, "").lower() in {"1", "t", "true", "y", "yes", "on"}
        for name in JSON_VARIABLES
    )


def _usage_error(error: click.ClickException, *, as_json: bool) -> int:
    from ingot.base.errors import UsageError

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        if not as_json:
            click.echo(error.format_message(), err=True)
            return UsageError.exit_code
        error = click.UsageError("Missing command.", ctx=error.ctx)
    hint = None
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"see '{error.ctx.command_path} --help'"
    print_error(UsageError(error.format_message(), hint=hint), as_json=as_json)
    return UsageError.exit_code
