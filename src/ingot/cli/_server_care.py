"""`ingot server check`: what an operator does to a store's directory beside serving it."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.store.check import Report


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@output_options
def check(printer: Printer, *, directory: Path | None) -> None:
    """Verify everything in DIR: catalog, blobs and checksums against each other.

    Reads every byte. No server may be using DIR. Each problem is a line; the exit code is 0 if
    there is none, else 1.

    \b
    Examples:
      ingot server check ./data
      ingot server check ./data --json
    """
    from ingot.server.process import datadir
    from ingot.server.settings import load
    from ingot.store.check import check_directory
    from ingot.store.layout import require_store

    data_dir = load(os.environ, {"data_dir": directory}).data_dir
    require_store(data_dir)
    with (
        datadir.locked(data_dir),
        printer.progress() as progress,
        progress.task(f"Checking {data_dir}", unit="bytes") as task,
    ):
        report = check_directory(data_dir, task.advance)
    _print_report(printer, data_dir, report)


def _print_report(printer: Printer, data_dir: Path, report: Report) -> None:
    """Print what a check found.

    Raises:
        IntegrityError: there are problems.
    """
    from ingot.base.errors import IntegrityError
    from ingot.base.units import format_size

    for problem in report.problems:
        where = "/".join(filter(None, (problem.bucket, problem.key)))
        document = {"type": "problem", "status": "error", **problem._asdict()}
        printer.data(document, f"{where}: {problem.message}" if where else problem.message)
    counts = {name: value for name, value in asdict(report).items() if name != "problems"}
    status = "error" if report.problem_count else "success"
    printer.data(
        {"type": "summary", "status": status, **counts},
        f"{report.buckets} buckets, {report.versions} objects and versions, {report.parts} parts"
        f" of unfinished uploads, {report.blobs} files, {format_size(report.verified_bytes)}"
        f" verified; {report.unnamed_blobs} files without a record,"
        f" {report.problem_count} problems",
    )
    if report.problem_count:
        raise IntegrityError(
            f"{data_dir} has {report.problem_count} problems",
            hint="what is damaged has to come from a backup",
        )
