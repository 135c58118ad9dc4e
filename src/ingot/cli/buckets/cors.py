"""`ingot cors`: what pages of other origins may ask a bucket for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3client.client import S3Client


@click.group()
def cors() -> None:
    """Say what web pages of other origins may ask a bucket for.

    \b
    Examples:
      ingot cors set store/photos cors.json
      ingot cors get store/photos
    """


@cors.command("set")
@click.argument("target", shell_complete=complete_remote)
@click.argument("file", type=click.Path(allow_dash=True))
@output_options
def set_(printer: Printer, *, target: str, file: str) -> None:
    """Replace the rules of the bucket TARGET by those of FILE (`-` is standard input).

    They are written as XML, or as JSON as Amazon's command line writes them.

    \b
    Examples:
      ingot cors set store/photos cors.xml
      echo '{"CORSRules": [{"AllowedOrigins": ["https://example.com"],
        "AllowedMethods": ["GET"]}]}' | ingot cors set store/photos -
    """
    from ingot.cli.buckets._settings import read_document
    from ingot.client.jsonform import CORS
    from ingot.s3.documents import cors as documents

    rules = read_document(file, CORS, documents.parse)

    def change(client: S3Client, address: RemoteAddress) -> None:
        client.put_bucket_cors(address.bucket, rules)
        printer.data(
            {"op": "set", "target": str(address), "rules": len(rules)},
            f"{address} has {len(rules)} CORS rules",
        )

    on_buckets(printer, [target], change)


@cors.command("get")
@click.argument("target", shell_complete=complete_remote)
@output_options
def get(printer: Printer, *, target: str) -> None:
    """Print the rules of the bucket TARGET as JSON, for `ingot cors set`.

    \b
    Examples:
      ingot cors get store/photos > cors.json
    """
    import json

    from ingot.client.jsonform import CORS
    from ingot.s3.documents import cors as documents

    def show(client: S3Client, address: RemoteAddress) -> None:
        config = CORS.to_json(documents.render(client.get_bucket_cors(address.bucket)))
        text = json.dumps(config, indent=2, ensure_ascii=False)
        printer.data({"op": "get", "target": str(address), "cors": config}, text)

    on_buckets(printer, [target], show)


@cors.command()
@click.argument("target", shell_complete=complete_remote)
@output_options
def remove(printer: Printer, *, target: str) -> None:
    """Remove all rules of the bucket TARGET.

    \b
    Examples:
      ingot cors remove store/photos
    """

    def change(client: S3Client, address: RemoteAddress) -> None:
        client.delete_bucket_cors(address.bucket)
        printer.data(
            {"op": "remove", "target": str(address)}, f"{address} has no CORS rules any more"
        )

    on_buckets(printer, [target], change)
