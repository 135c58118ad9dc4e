"""Connecting to a machine's Unix sockets, however long the path of its folder is."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from ingot.base.errors import ConflictError

_BUSY_POLL_S = 0.02


def connect(directory: Path, name: str, *, timeout_s: float) -> socket.socket:
    """Connect to the socket `name` in a machine's folder.

    Args:
        directory: the machine's folder.
        name: the socket's file name.
        timeout_s: how long to wait for a place in the listener's queue; also the time-out of
            every later call on the socket.

    Raises:
        ConflictError: nothing listens there, or the queue stays full.
    """
    # A Unix socket's address holds 107 bytes of path (unix(7)), which the path of a state folder
    # may exceed; the path through an open descriptor of the folder is always short.
    try:
        folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConflictError(f"there is no folder {directory}: {error.strerror}") from error
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        _queue(connection, f"/proc/self/fd/{folder}/{name}", time.monotonic() + timeout_s)
    except OSError as error:
        connection.close()
        raise ConflictError(
            f"nothing answers on {directory.name}'s {name}: {error.strerror or error}"
        ) from error
    finally:
        os.close(folder)
    return connection


def _queue(connection: socket.socket, address: str, deadline_s: float) -> None:
    while True:
        try:
            connection.connect(address)
        except BlockingIOError:
            # connect(2): a Unix socket whose queue is full answers EAGAIN at once.
            if time.monotonic() >= deadline_s:
                raise
            time.sleep(_BUSY_POLL_S)
        else:
            return
