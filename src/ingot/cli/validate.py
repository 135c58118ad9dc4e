"""`ingot validate`: find every mistake in appliance files without building them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ingot.base.errors import Error, UsageError
from ingot.cli._images import only_file
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--schema", is_flag=True, help="Print the JSON Schema for editors, and end.")
@output_options
def validate(printer: Printer, *, files: tuple[Path, ...], schema: bool) -> None:
    """Check FILES (the only .yml file here if none is given) and the components they name.

    Every mistake is listed with its place. Nothing is fetched and nothing is written.

    \b
    Examples:
      ingot validate store.yml
      ingot validate examples/*.yml
      ingot validate --schema > appliance.schema.json
    """
    if schema:
        from ingot.appliance.schema import render_schema

        sys.stdout.write(render_schema().decode())
        return
    from ingot.appliance.inputs import read_file
    from ingot.appliance.pins import check_appliance

    wanted = files or (only_file(Path(), "validate"),)
    wrong = 0
    for path in wanted:
        try:
            warnings = check_appliance(read_file(path))
        except Error as error:
            if len(wanted) == 1:
                raise
            printer.failure(error)
            wrong += 1
        else:
            for warning in warnings:
                printer.note(f"warning: {warning}")
            printer.data({"path": str(path)}, f"{path} is valid")
    if wrong:
        raise UsageError(f"{wrong} of {len(wanted)} files have mistakes")
