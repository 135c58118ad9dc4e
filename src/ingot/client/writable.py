"""Tells whether something could be written to a place, and changes nothing: what a dry run asks."""

from __future__ import annotations

from contextlib import suppress

from ingot.base.errors import DeniedError, UsageError
from ingot.client.addresses import Address, RemoteAddress
from ingot.client.connections import Connections
from ingot.client.filecopy import prepared_path
from ingot.client.localnames import key_problem, printable
from ingot.client.places import FilePlace, Place


def check_writable(place: Place, *, replaces: bool = True) -> None:
    """Make sure that nothing here stands in the way of a file or object.

    Args:
        place: where it would go.
        replaces: whether there may be a file of this name.

    Raises:
        UsageError: its name cannot be a key.
        BlockedError: a folder stands where a file would go.
        ConflictError: something else does, or stands where a folder is needed.
        Error: its name cannot be a file.
    """
    if isinstance(place, FilePlace):
        prepared_path(place, replaces=replaces, makes_folders=False)
    elif problem := key_problem(place.address.key, ""):
        raise UsageError(f"{printable(str(place.address))}: {problem}")


def check_bucket_there(target: Address, connections: Connections) -> None:
    """Make sure that what is written to has a bucket; whoever may not ask is not told.

    Raises:
        NotFoundError: it has none.
        NetworkError: the service is away.
    """
    if isinstance(target, RemoteAddress):
        with suppress(DeniedError):
            connections.client(target.alias).head_bucket(target.bucket)
