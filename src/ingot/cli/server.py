"""`ingot server`: run the S3 server, print the keys it generated, look after its data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_folder
from ingot.cli._directory import directory_argument
from ingot.cli._server_care import backup, check, restore, scrub
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class _ServerGroup(click.Group):
    """`ingot server DIR` runs the server; `ingot server keys` is a command of its own.

    A data directory called as a command, such as `keys`, is written `./keys`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args.insert(0, "run")
        return super().parse_args(ctx, args)


class _RunCommand(click.Command):
    """The nameless command: its usage line reads `ingot server [OPTIONS] [DIR]`."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        assert ctx.parent is not None
        formatter.write_usage(ctx.parent.command_path, " ".join(self.collect_usage_pieces(ctx)))


def _complete_first(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer directories, and the other commands where the nameless one may still become one."""
    from click.core import ParameterSource
    from click.shell_completion import CompletionItem

    folders = complete_folder(ctx, param, incomplete)
    if any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ctx.params):
        return folders
    others = [each for name, each in server.commands.items() if name.startswith(incomplete)]
    words = [
        CompletionItem(each.name, help=each.get_short_help_str())
        for each in others
        if not isinstance(each, _RunCommand)
    ]
    return [*words, *folders]


@click.group(cls=_ServerGroup, add_help_option=False)
def server() -> None:
    """Run the S3 server."""


@server.command(cls=_RunCommand)
@directory_argument(complete=_complete_first)
@click.option("--address", metavar="HOST:PORT", help="Where the S3 API listens.  [:9000]")
@click.option("--console-address", metavar="HOST:PORT", help="Where the console listens.  [:9001]")
@click.option(
    "--workers",
    metavar="N",
    help="Processes that serve.  [one per processor, at most 4]",
)
@click.option("--region", help="The region of signatures and buckets.  [us-east-1]")
@click.option(
    "--domain",
    "domains",
    metavar="NAMES",
    help="Domains, comma-separated, whose subdomains are buckets.",
)
@click.option(
    "--access-log",
    type=click.Choice(["json", "text", "off"]),
    help="Write a line per request to standard error.  [off]",
)
@click.option("--json-log", is_flag=True, default=None, help="Write the log as JSON lines.")
@output_options
def run(printer: Printer, *, directory: Path | None, json_log: bool | None, **texts: Any) -> int:
    """Serve the buckets in DIR over S3, by default on port 9000, with a console on port 9001.

    DIR is created if it is missing. Without root keys in the environment a random pair is
    generated once and kept in DIR; 'ingot server keys DIR' prints it.

    \b
    Examples:
      ingot server ./data
      ingot server ./data --address 127.0.0.1:9000 --access-log json
      INGOT_ROOT_USER=me INGOT_ROOT_PASSWORD=long-secret ingot server ./data
      ingot server keys ./data
      ingot server check ./data
      ingot server scrub ./data
      ingot server backup ./data /mnt/backup/monday

    \b
    Environment (MinIO's names work too: MINIO_ROOT_USER, MINIO_VOLUMES ...):
      INGOT_DATA_DIR             the directory, instead of DIR
      INGOT_ROOT_USER            the root access key, with INGOT_ROOT_PASSWORD;
                                 ..._FILE names a file that holds it
      INGOT_DOMAIN, INGOT_REGION, INGOT_ADDRESS, INGOT_CONSOLE_ADDRESS
      INGOT_SHOW_KEYS=1          print generated keys even without a terminal
    """
    from ingot.base.logs import configure
    from ingot.server.settings import load, parsed_options

    options = {"data_dir": directory, "json_log": json_log, **parsed_options(texts)}
    settings = load(os.environ, options)
    configure(json_lines=settings.json_log)
    from ingot.server.process import banner
    from ingot.server.process.run import run as run_server

    def announce(document: dict[str, Any]) -> None:
        text = banner.render(document, str(settings.data_dir))
        printer.data({"type": "started", **document}, text)

    return run_server(settings, on_terminal=sys.stdout.isatty(), announce=announce)


@server.command()
@directory_argument()
@output_options
def keys(printer: Printer, *, directory: Path | None) -> None:
    """Print the root keys: the ones in the environment, else those generated for DIR.

    \b
    Examples:
      ingot server keys ./data
      ingot server keys --json
    """
    from ingot.server.process.keys import of_settings, stored
    from ingot.server.settings import load

    settings = load(os.environ, {"data_dir": directory})
    found = of_settings(settings) or stored(settings.data_dir)
    secret_key = found.secret_key.reveal()
    printer.data(
        {"access_key": found.access_key, "secret_key": secret_key, "generated": found.generated},
        f"Access key: {found.access_key}\nSecret key: {secret_key}",
    )


for _command in (check, scrub, backup, restore):
    server.add_command(_command)
