"""Threads that wait for a peer, and are ended by who cuts the cord that they hold."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from ingot.base.retry import Backoff
from ingot.transport.cord import Cord, CutError, apart, branch, held, pause
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Request, Transport

_PATIENCE_S = 30


@pytest.fixture
def transport() -> Iterator[Transport]:
    """A transport that would wait for much longer than a test does."""
    options = TransportOptions(
        connect_timeout_s=3600, read_timeout_s=3600, backoff=Backoff(first_s=3600), environment={}
    )
    with Transport(options) as made:
        yield made


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Who listens, and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        yield listener


def get(transport: Transport, port: int, scheme: str = "http") -> None:
    request = Request("GET", scheme, "127.0.0.1", port, "/", {"host": "peer"})
    with transport.send(request) as response:
        response.read(10)


def ends(act: Callable[[], None], is_waiting: Callable[[], object]) -> BaseException | None:
    """Do something in a thread, cut its cord once it waits, and return what ended it."""
    cord, ended = Cord(), []

    def run() -> None:
        try:
            cord.run(act)
        except CutError as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    is_waiting()
    cord.cut()
    thread.join(_PATIENCE_S)
    assert not thread.is_alive()
    return ended[0] if ended else None


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_waits_for_an_answer_or_a_handshake(
    transport: Transport, silent: socket.socket, scheme: str
) -> None:
    with contextlib.ExitStack() as stack:

        def accept() -> None:
            connection = stack.enter_context(silent.accept()[0])
            assert connection.recv(1)

        error = ends(lambda: get(transport, silent.getsockname()[1], scheme), accept)
    assert isinstance(error, CutError)


def test_who_waits_for_a_connection(transport: Transport, silent: socket.socket) -> None:
    # The queue is full: the kernel drops whoever comes, and lets them try for minutes.
    place = silent.getsockname()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(place)
        is_there = threading.Event()
        error = ends(lambda: get(transport, place[1]), lambda: is_there.wait(0.3))
    assert isinstance(error, CutError)


def test_who_waits_for_the_address_of_a_name(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, is_answered = threading.Event(), threading.Event()

    def never(*_: object, **__: object) -> None:
        is_asked.set()
        is_answered.wait(2 * _PATIENCE_S)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", never)
    sent = Request("GET", "http", "name", 80, "/", {"host": "name"})
    try:
        error = ends(lambda: transport.send(sent).close(), is_asked.wait)
        assert isinstance(error, CutError)
    finally:
        is_answered.set()


def test_who_waits_before_another_attempt(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        is_there = threading.Event()

        def refuse() -> None:
            listener.accept()[0].close()
            is_there.wait(0.1)

        error = ends(lambda: get(transport, port), refuse)
    assert isinstance(error, CutError)


def test_a_cord_that_was_cut_holds_nothing_more(
    transport: Transport, silent: socket.socket
) -> None:
    cord = Cord()
    cord.cut()
    with cord.hold():
        with pytest.raises(CutError):
            get(transport, silent.getsockname()[1])
        with pytest.raises(CutError):
            pause(3600)
        with pytest.raises(CutError), branch():
            raise AssertionError
        with pytest.raises(CutError), apart(0.05):
            get(transport, silent.getsockname()[1])
    pause(0)
    with pytest.raises(CutError):
        cord.run(pause, 0)


def test_a_branch_falls_with_its_tree_or_its_block() -> None:
    tree = Cord()
    with tree.hold(), branch() as limb, limb.hold(), branch() as twig:
        assert held() is limb
        twig.cut()
        limb.check()
        tree.cut()
        with pytest.raises(CutError):
            limb.check()
    with pytest.raises(ValueError, match="failed"), branch() as limb:
        raise ValueError("failed")
    with pytest.raises(CutError):
        limb.check()
