"""`ingot validate`: find every mistake in appliance files without building them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ingot.base.errors import Error, UsageError
from ingot.cli._images import only_file
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--merge", is_flag=True, help="Check FILES as one appliance, as build merges them.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema for editors, and end.")
@output_options
def validate(printer: Printer, *, files: tuple[Path, ...], merge: bool, schema: bool) -> None:
    """Check FILES (the only .yml file here if none is given) and the components they name.

    Every mistake is listed with its place. Nothing is fetched and nothing is written.

    \b
    Examples:
      ingot validate store.yml
      ingot validate examples/*.yml
      ingot validate --merge store.yml debug.yml
      ingot validate --schema > appliance.schema.json
    """
    if schema:
        import json

        from ingot.appliance.schema import render_schema

        text = render_schema().decode()
        printer.data({"schema": json.loads(text)}, text.removesuffix("\n"))
        return
    wanted = files or (only_file(Path(), "validate"),)
    groups = [wanted] if merge else [(path,) for path in wanted]
    wrong = 0
    for group in groups:
        try:
            warnings = _check(group)
        except Error as error:
            if len(groups) == 1:
                raise
            printer.failure(error)
            wrong += 1
        else:
            for warning in warnings:
                printer.warning(warning)
            names = ", ".join(map(str, group))
            printer.data({"path": names}, f"{names} {'is' if len(group) == 1 else 'are'} valid")
    if wrong:
        raise UsageError(f"{wrong} of {len(groups)} files have mistakes")


def _check(paths: Sequence[Path]) -> tuple[str, ...]:
    from ingot.appliance.inputs import Inputs, read_file
    from ingot.appliance.pins import check_appliance

    read = [read_file(path) for path in paths]
    documents = tuple(document for inputs in read for document in inputs.documents)
    return check_appliance(Inputs(documents, read[0].folder, read[0].name))
