"""`ingot alias`: names of S3 endpoints and their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_alias
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.client.aliases import Alias


@click.group()
def alias() -> None:
    """Keep names of S3 endpoints and their keys.

    An alias comes, in this order, from the variable INGOT_HOST_<name> or MC_HOST_<name>
    (https://ACCESS:SECRET@host:port), from ingot's own file, or from mc's.

    \b
    Examples:
      ingot alias set store http://127.0.0.1:9000
      ingot alias list
      ingot alias remove store
    """


@alias.command("set")
@click.argument("name", shell_complete=complete_alias)
@click.argument("url")
@click.argument("access_key", required=False)
@click.argument("secret_key", required=False)
@click.option(
    "--access-key-file",
    type=click.Path(allow_dash=True),
    help="Read both keys from a file: two lines, or JSON as 'ingot server keys --json' prints.",
)
@click.option("--anonymous", is_flag=True, help="Without keys, for what anybody may read.")
@click.option(
    "--session-token-file",
    type=click.Path(allow_dash=True),
    help="Read the session token of temporary keys from a file; else INGOT_SESSION_TOKEN.",
)
@click.option(
    "--path",
    "addressing",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="Put the bucket's name into the path (on) or the host name (off).",
)
@click.option("--region", help="Sign for this region.")
@click.option(
    "--api",
    type=click.Choice(["S3v4"], case_sensitive=False),
    default="S3v4",
    show_default=True,
    help="How requests are signed; there is no other way.",
    expose_value=False,
)
@click.option("--no-verify", is_flag=True, help="Store the alias without asking the endpoint.")
@output_options
def set_(
    printer: Printer,
    *,
    name: str,
    url: str,
    access_key: str | None,
    secret_key: str | None,
    access_key_file: str | None,
    anonymous: bool,
    session_token_file: str | None,
    addressing: str,
    region: str | None,
    no_verify: bool,
) -> None:
    """Store the alias NAME for the endpoint URL.

    Keys that are not given are taken from INGOT_ACCESS_KEY and INGOT_SECRET_KEY, asked for on a
    terminal, or read from standard input (two lines). Other users can see the arguments of a
    command, so give secrets in one of these ways on machines that you share.

    \b
    Examples:
      ingot alias set store http://127.0.0.1:9000
      ingot alias set store http://127.0.0.1:9000 ACCESS_KEY SECRET_KEY
      ingot alias set open https://data.example.com --anonymous
      ingot server keys ./data --json | ingot alias set store http://127.0.0.1:9000 \\
          --access-key-file -
    """
    from ingot.cli._keys import no_keys, read_keys, read_token
    from ingot.client.aliases import REGION_DEFAULT, Alias, AliasBook, check_name, check_url

    name = check_name(name.removesuffix("/"))
    endpoint = check_url(url)
    if anonymous:
        access, secret = no_keys(access_key, access_key_file, session_token_file)
    else:
        access, secret = read_keys(access_key, secret_key, access_key_file)
    made = Alias(
        name=name,
        url=endpoint,
        access_key=access,
        secret_key=secret,
        session_token=None if anonymous else read_token(session_token_file),
        addressing={"auto": "auto", "on": "path", "off": "virtual"}[addressing],
        region=region or REGION_DEFAULT,
    )
    if not no_verify:
        from ingot.client.probe import verify

        verify(made)
    book = AliasBook.default()
    book.put(made)
    printer.data({**_document(made), "src": str(book.path)}, f"added {name} ({endpoint})")


@alias.command("list")
@click.argument("name", required=False, shell_complete=complete_alias)
@output_options
def list_(printer: Printer, *, name: str | None) -> None:
    """Show all aliases, or one; secrets are masked.

    \b
    Examples:
      ingot alias list
      ingot alias list store --json
    """
    from ingot.client.aliases import AliasBook

    book = AliasBook.default()
    found = [book.get(name.removesuffix("/"))] if name else list(book.all().values())
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        text = f"{one.name:<{width}}  {one.url}  {one.access_key or '(anonymous)'}  {one.origin}"
        printer.data(_document(one), text)
    if not found:
        printer.note("there are no aliases; add one with 'ingot alias set NAME URL'")


@alias.command()
@click.argument("names", nargs=-1, required=True, shell_complete=complete_alias)
@output_options
def remove(printer: Printer, *, names: tuple[str, ...]) -> None:
    """Forget aliases.

    \b
    Examples:
      ingot alias remove store
    """
    from ingot.cli._objects import each
    from ingot.client.aliases import AliasBook

    book = AliasBook.default()

    def act(text: str) -> None:
        name = text.removesuffix("/")
        book.remove(name)
        printer.data({"alias": name}, f"removed {name}")

    each(printer, names, act)


@alias.command("import")
@click.argument("file", type=click.Path(allow_dash=True))
@click.argument("names", nargs=-1)
@click.option("--overwrite", is_flag=True, help="Replace aliases of the same name.")
@output_options
def import_(printer: Printer, *, file: str, names: tuple[str, ...], overwrite: bool) -> None:
    """Store the aliases of FILE, mc's config.json; `-` is standard input.

    With NAMES only those. A file of one alias, as 'mc alias export' prints it, needs one NAME,
    which may stand before the FILE, or before nothing for standard input.

    \b
    Examples:
      ingot alias import ~/.mc/config.json
      ingot alias import ~/.mc/config.json store backup
      mc alias export store | ingot alias import - store
    """
    from ingot.cli._keys import read_file
    from ingot.client.aliases import CONFIG_BYTES_MAX
    from ingot.client.importing import parse_mc

    file, names = _as_ours(file, names)
    data = read_file(file, CONFIG_BYTES_MAX + 1)
    origin = "standard input" if file == "-" else file
    _store(printer, parse_mc(data, origin, names), overwrite=overwrite)


@alias.command()
@click.argument("profiles", nargs=-1)
@click.option("--overwrite", is_flag=True, help="Replace aliases of the same name.")
@output_options
def import_aws(printer: Printer, *, profiles: tuple[str, ...], overwrite: bool) -> None:
    """Store AWS profiles that hold keys as aliases of their names.

    They come from ~/.aws/credentials and ~/.aws/config, or the files that
    AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name. Keys that change there later must be
    imported again.

    \b
    Examples:
      ingot alias import-aws
      ingot alias import-aws --overwrite default
    """
    import os

    from ingot.client.importing import read_aws

    _store(printer, read_aws(os.environ, profiles), overwrite=overwrite)


def _as_ours(first: str, others: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return file and names of `alias import`, also where they stand in mc's order."""
    import os

    if first == "-" or os.path.lexists(first):
        return first, others
    if not others:
        return "-", (first,)
    if len(others) == 1 and (others[0] == "-" or os.path.lexists(others[0])):
        return others[0], (first,)
    return first, others


def _store(printer: Printer, made: Sequence[Alias], *, overwrite: bool) -> None:
    from ingot.client.aliases import AliasBook

    book = AliasBook.default()
    book.put_all(made, replace=overwrite)
    for one in made:
        document = {**_document(one), "src": str(book.path)}
        printer.data(document, f"added {one.name} ({one.url})")
    if not made:
        printer.note("there was no alias to import")


def _document(one: Alias) -> dict[str, object]:
    """Return an alias as mc's JSON has it."""
    return {
        "alias": one.name,
        "URL": one.url,
        "accessKey": one.access_key,
        "secretKey": "****" if one.secret_key.reveal() else "",
        "api": "S3v4",
        "path": {"path": "on", "virtual": "off"}.get(one.addressing, one.addressing),
        "src": one.origin,
    }
