"""`ingot vulns`: which advisories hold for an appliance's packages."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._images import source_options
from ingot.cli._vocabulary import complete_arch
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.appliance.advisories.report import Report, Row


@click.command()
@click.argument("what", metavar="PREFIX|FILE.yml|FILE.spdx.json", type=click.Path(path_type=Path))
@click.option(
    "--advisories",
    "-a",
    "paths",
    multiple=True,
    required=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Debian's tracker export, or OSV records: a JSON file, a zip archive, a folder. May be"
    " repeated.",
)
@click.option("--fixed", "only_fixed", is_flag=True, help="Only what a newer version mends.")
@click.option("--all", "with_minor", is_flag=True, help="Unimportant and undetermined ones, too.")
@click.option("--ignore", "ignored", multiple=True, metavar="ID", help="Leave out an advisory.")
@click.option("--exit-code", is_flag=True, help="End with 1 if an advisory holds.")
@click.option(
    "--arch",
    metavar="ARCH",
    shell_complete=complete_arch,
    help="Of FILE.yml: Debian's name of the architecture.",
)
@source_options
@output_options
def vulns(
    printer: Printer, *, what: Path, paths: tuple[Path, ...], exit_code: bool, **options: Any
) -> int:
    """Look the packages of a build (DIR/NAME), or of FILE.yml, up in advisory files.

    A bill of materials that a build wrote (NAME.spdx.json) will do, too.

    Debian packages are known by source package, version and release, wheels by name and version.
    Nothing is fetched: take the files from the security tracker (data/json) and from osv.dev.

    \b
    Examples:
      ingot vulns out/store --advisories debian.json --advisories PyPI/all.zip
      ingot vulns --exit-code --fixed -a debian.json store.yml
      ingot vulns out/store -a osv/ --ignore CVE-2020-0001 --json
    """
    from ingot.appliance.advisories.load import open_database
    from ingot.appliance.advisories.report import report
    from ingot.appliance.contents import SBOM_SUFFIX, read_bill
    from ingot.cli.inspect import contents_of

    databases = [open_database(path) for path in paths]
    choice = {key: options.pop(key) for key in ("only_fixed", "with_minor", "ignored")}
    if what.name.endswith(SBOM_SUFFIX):
        bill = read_bill(what)
    else:
        bill = contents_of(printer, what, options.pop("arch"), options).bill
    found = report(bill, databases, **choice)
    for row in found.rows:
        printer.data(dataclasses.asdict(row), _text(row))
    _summary(printer, found)
    return 1 if found.rows and exit_code else 0


def _text(row: Row) -> str:
    fixed = f"fixed in {row.fixed}" if row.fixed else "no fix yet"
    note = f" ({row.note})" if row.note else ""
    names = ", ".join(row.installed)
    of = f" [{names}]" if names != row.package else ""
    images = ", ".join(row.images)
    return (
        f"{row.severity:8} {row.identifier}  {row.package} {row.version}{of}  {fixed}{note}"
        f"  in {images}"
    )


def _summary(printer: Printer, found: Report) -> None:
    count = len(found.rows)
    words = f"{count} {'advisory holds' if count == 1 else 'advisories hold'}"
    printer.note(f"{words} for the {found.checked} packages that they are about")
    if found.unchecked:
        others = ", ".join(f"{number} of kind {kind}" for kind, number in found.unchecked.items())
        printer.note(f"not checked, since no advisory file is about them: {others}")
