"""The relay of IPv6 ports, as the process that it is, between real sockets."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import Error
from ingot.vm.machine import PublishedPort
from ingot.vm.networks.forwards import opened

Eventually = Callable[[Callable[[], object], str], None]
PAYLOAD = os.urandom(3 << 20)
TIMEOUT_S = 20


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET6, kind) as probe:
        probe.bind(("::1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def hypervisor() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def usernet(protocol: str, port: int, guest_port: int) -> str:
    return f"  {protocol}[HOST_FORWARD]  9  127.0.0.1 {port}  10.0.2.15 {guest_port}  0  0\r\n"


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@contextlib.contextmanager
def tcp_echo() -> Iterator[int]:
    """Answer each connection with all it sent, once it has said that it sends no more."""

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(received(connection))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def exchanged(port: int, data: bytes) -> bytes:
    with socket.create_connection(("::1", port), timeout=TIMEOUT_S) as connection:
        sender = threading.Thread(
            target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR))
        )
        sender.start()
        answer = received(connection)
        sender.join()
        return answer


def test_connections_pass_until_the_machine_ends(
    hypervisor: "subprocess.Popen[bytes]", tmp_path: Path, eventually: Eventually
) -> None:
    number = free_port()
    port = PublishedPort("::1", number, 80)
    with tcp_echo() as inner:
        with opened([PublishedPort("127.0.0.1", 1, 80), port]) as doors:
            doors.pass_on(lambda: usernet("TCP", inner, 80), hypervisor.pid, tmp_path / "log")
        # Half-closed connections, one after the other and side by side.
        assert exchanged(number, PAYLOAD) == PAYLOAD
        answers: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: answers.append(exchanged(number, PAYLOAD)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [PAYLOAD] * 4
    # What is behind has gone: a connection ends at once, and the relay lives.
    reset = contextlib.suppress(ConnectionResetError)
    with reset, socket.create_connection(("::1", number), timeout=TIMEOUT_S) as connection:
        assert received(connection) == b""
    hypervisor.kill()
    hypervisor.wait()
    eventually(lambda: can_listen(number), "the port is free again")
    assert (tmp_path / "log").read_text() == ""


def can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("::1", port))
            probe.listen()
        except OSError:
            return False
        return True


def test_datagrams_are_answered_to_whom_they_are_from(
    hypervisor: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    number = free_port(socket.SOCK_DGRAM)
    with contextlib.ExitStack() as stack:
        inner = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        inner.bind(("127.0.0.1", 0))
        inner.settimeout(TIMEOUT_S)
        answer = usernet("UDP", inner.getsockname()[1], 53)
        with opened([PublishedPort("::1", number, 53, "udp")]) as doors:
            doors.pass_on(lambda: answer, hypervisor.pid, tmp_path / "log")
        peers = []
        for index in range(3):
            peer = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            peer.settimeout(TIMEOUT_S)
            peer.connect(("::1", number))
            peer.send(b"question %d" % index)
            peers.append(peer)
        asked = [inner.recvfrom(2048) for _ in peers]
        assert len({address for _, address in asked}) == 3, "each has a source of its own"
        for question, address in reversed(asked):
            inner.sendto(question.replace(b"question", b"answer"), address)
        for index, peer in enumerate(peers):
            assert peer.recv(2048) == b"answer %d" % index
        # The largest that IPv4 carries.
        large = os.urandom(65507)
        peers[0].send(large)
        assert inner.recv(1 << 16) == large


def test_a_forward_that_is_missing_is_an_error(
    hypervisor: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with (
        opened([PublishedPort("::1", free_port(), 80)]) as doors,
        pytest.raises(Error, match=r"the hypervisor has no forward for it"),
    ):
        doors.pass_on(lambda: usernet("TCP", 1, 81), hypervisor.pid, tmp_path / "log")


def test_a_machine_is_published_on_ipv6_as_long_as_it_runs(
    host: Any, eventually: Eventually
) -> None:
    number = free_port()
    flags = ("--publish", f"[::1]:{number}:80", "--publish", f"[::1]:{number}:53/udp")
    host.ingot("run", host.build("demo"), *flags, "--detach")
    row = host.machines()["demo"]
    assert [port["host_address"] for port in row["ports"]] == ["::1", "::1"]
    assert host.ingot("port", "demo", "80").stdout == f"[::1]:{number}\n"
    assert f"[::1]:{number}->80/tcp" in host.ingot("ps").stdout
    assert not can_listen(number)
    result = host.ingot("run", "demo", "--name", "other", *flags, "--detach", code=6)
    assert f"--publish [::1]:{number}:80" in result.stderr
    # It is the next one's at once, however the machine ended.
    for verb in ("stop", "kill"):
        host.ingot(verb, "demo")
        host.ingot("start", "demo")
        assert not can_listen(number)
    os.kill(host.machines()["demo"]["pid"], 9)
    eventually(lambda: can_listen(number), "the relay ends with the machine")
