"""`ingot anonymous`: what anybody may do with a bucket, without keys."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli._habits import always
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.client.addresses import RemoteAddress
    from ingot.client.publicaccess import Policy
    from ingot.s3client.client import S3Client

# What mc's list calls them.
_ALLOWED = {"download": "readonly", "upload": "writeonly", "public": "readwrite"}
_PERMISSIONS = ["private", "download", "upload", "public", "none"]


@click.group()
def anonymous() -> None:
    """Say what anybody may do with a bucket or folder, without keys.

    private is nothing, download is to list and read, upload is to write and delete, public is both.

    \b
    Examples:
      ingot anonymous set download store/photos/public/
      ingot anonymous get store/photos/public/
      ingot anonymous links --recursive store/photos/public/
    """


@anonymous.command("set")
@click.argument("permission", type=click.Choice(_PERMISSIONS))
@click.argument("target", shell_complete=complete_remote)
@always("--recursive", "-r")
@output_options
def set_(printer: Printer, *, permission: str, target: str) -> None:
    """Let anybody do this with TARGET, a bucket or all keys that begin so.

    What else the bucket's policy says stays.

    \b
    Examples:
      ingot anonymous set download store/photos
      ingot anonymous set private store/photos
    """
    from ingot.client.publicaccess import SYNONYMS, render_policy, with_access

    word = SYNONYMS.get(permission, permission)
    with _opened(target) as (client, address):
        policy = with_access(_policy(client, address), address.bucket, address.key, word)
        if policy["Statement"]:
            client.put_bucket_policy(address.bucket, render_policy(policy))
        else:
            client.delete_bucket_policy(address.bucket)
        printer.data(
            {"operation": "set", "bucket": str(address), "permission": word},
            f"{visible(str(address))} is {word}",
        )


@anonymous.command("set-json")
@click.argument("file", type=click.Path(allow_dash=True))
@click.argument("target", shell_complete=complete_remote)
@always("--recursive", "-r")
@output_options
def set_json(printer: Printer, *, file: str, target: str) -> None:
    """Replace the policy of the bucket TARGET by that of FILE (`-` is standard input).

    \b
    Examples:
      ingot anonymous set-json policy.json store/photos
    """
    from ingot.cli._policyfile import policy_of
    from ingot.client.publicaccess import parse_policy
    from ingot.s3client.errors import ServiceError

    written = policy_of(file)
    parse_policy(written.data)
    with _opened(target, bucket_only=True) as (client, address):
        try:
            client.put_bucket_policy(address.bucket, written.data)
        except ServiceError as error:
            raise written.located(error) from error
        printer.data(
            {"operation": "set-json", "bucket": str(address), "permission": "custom"},
            f"{address} has the policy of {file}",
        )


@anonymous.command("get")
@click.argument("target", shell_complete=complete_remote)
@always("--recursive", "-r")
@output_options
def get(printer: Printer, *, target: str) -> None:
    """Tell what anybody may do with TARGET.

    `custom` is what no other word says; see the policy then.

    \b
    Examples:
      ingot anonymous get store/photos
    """
    from ingot.client.publicaccess import access

    with _opened(target) as (client, address):
        policy = _policy(client, address)
        word = access(policy, address.bucket, address.key)
        printer.data(
            {"operation": "get", "bucket": str(address), "permission": word, "anonymous": policy},
            f"{visible(str(address))} is {word}",
        )


@anonymous.command("get-json")
@click.argument("target", shell_complete=complete_remote)
@always("--recursive", "-r")
@output_options
def get_json(printer: Printer, *, target: str) -> None:
    """Print the policy of the bucket TARGET, for `ingot anonymous set-json`.

    \b
    Examples:
      ingot anonymous get-json store/photos > policy.json
    """
    import json

    from ingot.client.publicaccess import access, parse_policy

    with _opened(target, bucket_only=True) as (client, address):
        policy = parse_policy(client.get_bucket_policy(address.bucket))
        text = json.dumps(policy, indent=2, ensure_ascii=False)
        word = access(policy, address.bucket, "")
        document = {"operation": "get-json", "bucket": str(address), "permission": word}
        printer.data({**document, "anonymous": policy}, text)


@anonymous.command("list")
@click.argument("target", shell_complete=complete_remote)
@always("--recursive", "-r")
@output_options
def list_(printer: Printer, *, target: str) -> None:
    """Show all prefixes of the bucket TARGET with which anybody may do something.

    \b
    Examples:
      ingot anonymous list store/photos
    """
    from ingot.client.publicaccess import prefixes

    with _opened(target, bucket_only=True) as (client, address):
        for prefix, word in prefixes(_policy(client, address), address.bucket).items():
            found = f"{address}/{prefix}*"
            document = {"operation": "list", "bucket": found, "permission": word}
            document |= {"resource": f"{address.bucket}/{prefix}*", "allow": _ALLOWED[word]}
            printer.data(document, f"{visible(found)} is {word}")


@anonymous.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--recursive", "-r", is_flag=True, help="Of everything below.")
@output_options
def links(printer: Printer, *, target: str, recursive: bool) -> None:
    """Print the URLs of objects below TARGET that anybody may read.

    \b
    Examples:
      ingot anonymous links --recursive store/photos
    """
    from ingot.client.publicaccess import DOWNLOAD, PUBLIC, prefixes

    with _opened(target) as (client, address):
        found = prefixes(_policy(client, address), address.bucket)
        readable = tuple(prefix for prefix, word in found.items() if word in (DOWNLOAD, PUBLIC))
        delimiter = "" if recursive else "/"
        prefix = address.folder_prefix
        for page in client.iterate_pages(address.bucket, prefix=prefix, delimiter=delimiter):
            for entry in page.entries:
                if entry.key.startswith(readable):
                    url = client.plain_url(address.bucket, entry.key)
                    printer.data({"operation": "links", "url": url}, url)


def _policy(client: S3Client, address: RemoteAddress) -> Policy:
    from ingot.client.publicaccess import parse_policy
    from ingot.s3client.errors import unless_absent

    found = unless_absent(lambda: client.get_bucket_policy(address.bucket), "NoSuchBucketPolicy")
    return parse_policy(found or b"")


@contextmanager
def _opened(target: str, *, bucket_only: bool = False) -> Iterator[tuple[S3Client, RemoteAddress]]:
    """Give the client of the service that TARGET is at, and its address."""
    from ingot.base.errors import UsageError
    from ingot.client.addresses import parse_bucket, parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections

    address = (parse_bucket if bucket_only else parse_remote)(target, AliasBook.default())
    if not address.bucket:
        raise UsageError(f"{address} names no bucket", hint="write it like ALIAS/BUCKET[/PREFIX]")
    with Connections() as connections:
        yield connections.client(address.alias), address
