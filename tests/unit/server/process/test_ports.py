import socket

import pytest

from ingot.base.errors import ConflictError, Error
from ingot.server.process.address import Address
from ingot.server.process.ports import await_listening, reserve


def test_port_zero_becomes_a_real_port() -> None:
    holder, address = reserve(Address("127.0.0.1", 0))
    with holder:
        assert address.port == holder.getsockname()[1] != 0


def test_a_port_that_somebody_listens_on_is_refused_even_if_shared() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()

        with pytest.raises(ConflictError, match="in use"):
            reserve(Address("127.0.0.1", other.getsockname()[1]))


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host.invalid"])
def test_a_host_that_is_not_this_machine_is_an_error(host: str) -> None:
    with pytest.raises(Error, match="cannot listen"):
        reserve(Address(host, 0))


def test_a_listener_of_a_worker_shares_the_reserved_port_and_is_awaited() -> None:
    holder, address = reserve(Address("127.0.0.1", 0))
    with holder, socket.socket() as worker:
        with pytest.raises(Error, match="does not listen"):
            await_listening(address, timeout_s=0.05)
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind((address.host, address.port))
        worker.listen()

        await_listening(address, timeout_s=5)
        await_listening(Address("0.0.0.0", address.port), timeout_s=5)
