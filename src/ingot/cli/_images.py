"""What commands that fetch images share: options for registries and archives, and the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingot.base.errors import UsageError

if TYPE_CHECKING:
    from ingot.base.progress import Progress
    from ingot.debian.session import Session
    from ingot.oci.endpoints import RegistryOptions

LOCK_NAME = "ingot.lock"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def registry_options(command: _Command) -> _Command:
    """Give a command the options that `read_registry_options` takes out of its parameters."""
    for option in reversed(
        (
            click.option(
                "--registry-mirror",
                multiple=True,
                metavar="[REGISTRY=]URL",
                help="Ask this mirror before the registry (default: docker.io). Repeatable.",
            ),
            click.option(
                "--registry-ca",
                type=click.Path(path_type=Path, dir_okay=False, exists=True),
                help="Certificates (PEM) to trust for registries, beside the system's.",
            ),
            click.option(
                "--registry-insecure",
                multiple=True,
                metavar="HOST[:PORT]",
                help="Do not check this registry's certificate; accept plain HTTP. Repeatable.",
            ),
        )
    ):
        command = option(command)
    return command


def read_registry_options(options: dict[str, Any]) -> RegistryOptions:
    """Take the values of `registry_options` out of a command's parameters.

    Raises:
        UsageError: a mirror is malformed.
    """
    import os

    from ingot.oci.endpoints import read_options

    return read_options(
        os.environ,
        mirrors=options.pop("registry_mirror"),
        ca_file=options.pop("registry_ca"),
        insecure=options.pop("registry_insecure"),
    )


def source_options(command: _Command) -> _Command:
    """Give a command the options that `session_in` takes out of its parameters."""
    for option in reversed(
        (
            click.option("--mirror", metavar="URL", help="Debian archive to use, not the host's."),
            click.option(
                "--suite", metavar="NAME", help="Release of the archive, such as bookworm."
            ),
            click.option(
                "--keyring",
                type=click.Path(path_type=Path, dir_okay=False, exists=True),
                help="Public keys that may sign the archive.",
            ),
            click.option(
                "--offline", is_flag=True, help="Never use the network; the caches must have all."
            ),
        )
    ):
        command = option(command)
    return registry_options(command)


def session_in(folder: Path, options: dict[str, Any], progress: Progress) -> Session:
    """Return a build session, with its lock in a folder, from the values of `source_options`.

    Raises:
        UsageError: a mirror of a registry is malformed.
    """
    from ingot.debian.session import ArchiveOptions, Session

    archive = ArchiveOptions(
        mirror=options.pop("mirror"), suite=options.pop("suite"), keyring=options.pop("keyring")
    )
    return Session(
        options=archive,
        lock_path=folder / LOCK_NAME,
        offline=options.pop("offline"),
        progress=progress,
        registries=read_registry_options(options),
    )


def only_file(folder: Path, verb: str) -> Path:
    """Return the one .yml file of a folder.

    Raises:
        UsageError: there is none, or more than one; the hint shows how to name it to `verb`.
    """
    found = sorted(folder.glob("*.yml"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found)
    raise UsageError(
        f"there are {len(found)} .yml files here: {names}" if found else "there is no .yml file",
        hint=f"name the appliance file: ingot {verb} FILE.yml",
    )
