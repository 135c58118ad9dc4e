"""`ingot sql`: queries that a service answers from within objects."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli._vocabulary import complete_compression
from ingot.cli._writing import key_options
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.client.addresses import RemoteAddress
    from ingot.s3client.client import S3Client


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option(
    "--query",
    "-e",
    default="select * from S3Object",
    show_default=True,
    metavar="SQL",
    help="What to look for.",
)
@click.option("--recursive", "-r", is_flag=True, help="In all objects below TARGET.")
@click.option("--csv-input", metavar="HOW", help="As 'fh=USE,fd=;,rd=\\n,qc=\",qec=\",cc=#'.")
@click.option("--json-input", metavar="HOW", help="type=lines or type=document.")
@click.option("--parquet-input", is_flag=True, help="The objects are Parquet files.")
@click.option(
    "--compression",
    metavar="KIND",
    shell_complete=complete_compression,
    help="NONE, GZIP or BZIP2; else by the name.",
)
@click.option("--csv-output", metavar="HOW", help="As 'fd=;,rd=\\n,qc=\",qec=\",qf=ALWAYS'.")
@click.option("--csv-output-header", metavar="LINE", help="Print this line first.")
@click.option("--json-output", metavar="HOW", help="As 'rd=\\n'.")
@key_options
@output_options
def sql(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    query: str,
    recursive: bool,
    csv_input: str | None,
    json_input: str | None,
    parquet_input: bool,
    compression: str | None,
    csv_output: str | None,
    csv_output_header: str | None,
    json_output: str | None,
) -> None:
    """Query objects where they are, with S3 Select; the object is called S3Object.

    Without options an object is what its name says (.csv, .json, .jsonl, .parquet, with .gz or
    .bz2 behind it), else CSV whose first line has the columns' names; and the answer is written
    alike. With --json the records come as JSON.

    \b
    Examples:
      ingot sql -e "select s.name from S3Object s where s.age > '30'" store/tables/people.csv
      ingot sql -e 'select count(*) from S3Object' --recursive store/logs/2026/
      ingot sql -e 'select * from S3Object limit 5' --csv-input 'fd=;' store/tables/a.csv.gz
    """
    from ingot.base.errors import UsageError
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_object, parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.querying import compression_of, input_of, output_of
    from ingot.s3.documents.select import SelectRequest

    if printer.as_json and csv_output is not None:
        raise UsageError("--csv-output and --json exclude each other")
    if printer.as_json and json_output is None:
        json_output = ""
    book = AliasBook.default()
    # What cannot be understood is told before anything is asked.
    output_of(input_of("", csv_input, json_input, parquet=parquet_input), csv_output, json_output)
    compression_of("", compression)
    if csv_output_header is not None:
        if printer.as_json or json_output is not None:
            raise UsageError("--csv-output-header is for answers in CSV")
        sys.stdout.write(csv_output_header + "\n")
        sys.stdout.flush()
    with Connections() as connections:

        def act(target: str) -> None:
            address = (parse_remote if recursive else parse_object)(target, book)
            client = connections.client(address.alias)
            for found in _objects(client, address, recursive=recursive):
                source = input_of(found.key, csv_input, json_input, parquet=parquet_input)
                request = SelectRequest(
                    query,
                    source,
                    output_of(source, csv_output, json_output),
                    compression_of(found.key, compression),
                )
                for piece in client.select_object_content(found.bucket, found.key, request):
                    sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()

        each(printer, targets, act)


def _objects(
    client: S3Client, address: RemoteAddress, *, recursive: bool
) -> Iterator[RemoteAddress]:
    from ingot.client.versions import Choice, chosen

    for item in chosen(client, address, Choice(recursive=recursive)):
        yield item.address
