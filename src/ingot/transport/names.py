"""Looking up the addresses of a host, so that nobody must wait for who does not answer."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Sequence
from typing import Any

from ingot.transport.cord import GLANCE_S, Cord

# As `socket.getaddrinfo` has it: family, kind, protocol, canonical name, address.
Place = tuple[int, int, int, str, tuple[Any, ...]]


def addresses(host: str, port: int, cord: Cord) -> Sequence[Place]:
    """Return where a host may be, best first.

    Raises:
        OSError: the name means nothing.
        CutError: the cord was cut meanwhile.
    """
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host.partition("%")[0])
        return _ask(host, port)
    # The resolver waits for servers where neither a signal nor another thread reaches it.
    look_up = _LookUp(host, port)
    with cord.tied(look_up):
        threading.Thread(target=look_up.run, name="look-up", daemon=True).start()
        while not look_up.is_over.wait(GLANCE_S):
            pass
    cord.check()
    if look_up.failure is not None:
        raise look_up.failure
    return look_up.found


class _LookUp:
    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self.is_over = threading.Event()
        self.found: Sequence[Place] = ()
        self.failure: OSError | None = None

    def run(self) -> None:
        try:
            self.found = _ask(*self._place)
        except OSError as error:
            self.failure = error
        except UnicodeError:
            # A label that is empty, or too long for any server of names.
            self.failure = socket.gaierror(socket.EAI_NONAME, "this is no name of a host")
        finally:
            self.is_over.set()

    def cut(self) -> None:
        self.is_over.set()


def _ask(host: str, port: int) -> Sequence[Place]:
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
