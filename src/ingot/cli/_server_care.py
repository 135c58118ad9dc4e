"""`ingot server check`, `scrub`, `backup` and `restore`: care for a store beside serving it."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_folder
from ingot.cli._directory import directory_argument
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.store.check import Problem, Report
    from ingot.store.verify import Damage


@click.command()
@directory_argument()
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


@click.command()
@directory_argument()
@click.option("--rate", metavar="SIZE", default="0", help="Bytes per second, such as 50MiB.  [all]")
@output_options
def scrub(printer: Printer, *, directory: Path | None, rate: str) -> None:
    """Verify all records and bodies in DIR, which servers may be using.

    A server does this by itself, slowly, with INGOT_SCRUB_RATE; here it is done now. Each damage
    is a line; the exit code is 0 if there is none, else 1.

    \b
    Examples:
      ingot server scrub ./data
      ingot server scrub ./data --rate 50MiB --json
    """
    import asyncio

    from ingot.base.errors import IntegrityError
    from ingot.base.units import format_size, parse_size
    from ingot.cli._scrub import ScrubReport, scrub_directory
    from ingot.server.settings import load
    from ingot.store.layout import require_store

    rate_bytes = parse_size(rate)
    data_dir = load(os.environ, {"data_dir": directory}).data_dir
    require_store(data_dir)
    with (
        printer.progress() as progress,
        progress.task(f"Scrubbing {data_dir}", unit="bytes") as task,
    ):
        report = ScrubReport(task.advance)
        asyncio.run(scrub_directory(data_dir, report, rate_bytes=rate_bytes))
    for damage in report.damages:
        _print_problem(printer, damage)
    status = "error" if report.problem_count else "success"
    printer.data(
        {
            "type": "summary",
            "status": status,
            "records": report.records,
            "verified_bytes": report.verified_bytes,
            "problem_count": report.problem_count,
        },
        f"{report.records} objects, versions and parts, {format_size(report.verified_bytes)} of"
        f" large bodies verified; {report.problem_count} problems",
    )
    if report.problem_count:
        raise IntegrityError(
            f"{data_dir} has {report.problem_count} problems",
            hint="what is damaged has to come from a backup",
        )


@click.command()
@directory_argument(required=True)
@click.argument(
    "target", metavar="TARGET", type=click.Path(path_type=Path), shell_complete=complete_folder
)
@click.option(
    "--link",
    is_flag=True,
    help="Share bodies with DIR by hard links: quick, but no help when the device breaks.",
)
@output_options
def backup(printer: Printer, *, directory: Path, target: Path, link: bool) -> None:
    """Copy the store in DIR into the empty directory TARGET, and verify the copy.

    Servers may go on using DIR: the copy is what it held at one moment. Unfinished uploads and
    generated keys are left out. TARGET is a store itself: it can be served and checked.

    \b
    Examples:
      ingot server backup ./data /mnt/backup/monday
      ingot server backup ./data ./snapshot --link
    """
    _copy(printer, "Backing up", directory, target, link=link)


@click.command()
@click.argument(
    "source", metavar="BACKUP", type=click.Path(path_type=Path), shell_complete=complete_folder
)
@directory_argument(required=True)
@output_options
def restore(printer: Printer, *, source: Path, directory: Path) -> None:
    """Copy a backup into the empty directory DIR, and verify it there.

    \b
    Examples:
      ingot server restore /mnt/backup/monday ./data
    """
    _copy(printer, "Restoring", source, directory, link=False)


def _copy(printer: Printer, title: str, source: Path, target: Path, *, link: bool) -> None:
    from ingot.base.errors import Error
    from ingot.server.process import datadir
    from ingot.store.backup import copy_store
    from ingot.store.layout import require_store

    require_store(source)
    datadir.prepare(target)
    try:
        with (
            datadir.locked(target),
            printer.progress() as progress,
            progress.task(f"{title} {source}", unit="bytes") as task,
        ):
            ignored = frozenset({datadir.LOCK_FILE})
            report = copy_store(source, target, task.advance, link=link, ignored=ignored)
    except OSError as error:
        raise Error(f"{source} cannot be copied to {target}: {error}") from error
    _print_report(printer, target, report)


def _print_problem(printer: Printer, problem: Problem | Damage) -> None:
    where = "/".join(filter(None, (problem.bucket, problem.key)))
    document = {"type": "problem", "status": "error", **problem._asdict()}
    printer.data(document, f"{where}: {problem.message}" if where else problem.message)


def _print_report(printer: Printer, data_dir: Path, report: Report) -> None:
    """Print what a check found.

    Raises:
        IntegrityError: there are problems.
    """
    from ingot.base.errors import IntegrityError
    from ingot.base.units import format_size

    for problem in report.problems:
        _print_problem(printer, problem)
    counts = {name: value for name, value in asdict(report).items() if name != "problems"}
    status = "error" if report.problem_count else "success"
    printer.data(
        {"type": "summary", "status": status, **counts},
        f"{report.buckets} buckets, {report.versions} objects and versions, {report.parts} parts"
        f" of unfinished uploads, {report.blobs} blobs, {format_size(report.verified_bytes)}"
        f" verified; {report.unnamed_blobs} blobs without a record,"
        f" {report.problem_count} problems",
    )
    if report.problem_count:
        raise IntegrityError(
            f"{data_dir} has {report.problem_count} problems",
            hint="what is damaged has to come from a backup",
        )
