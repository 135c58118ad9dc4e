"""The guest agent's client against a scripted agent on a real Unix socket."""

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import ConflictError, Error, NotFoundError, UsageError
from ingot.vm.guest import agent as agent_module
from ingot.vm.guest.agent import AgentRefusedError, AgentUnavailableError, GuestAgent
from ingot.vm.guest.services import Guest

Handler = Callable[[str, dict[str, Any]], bytes]


def encode(value: Any) -> bytes:
    return json.dumps({"return": value}).encode() + b"\n"


def refusal(text: str) -> bytes:
    return json.dumps({"error": {"class": "GenericError", "desc": text}}).encode() + b"\n"


class ScriptedAgent:
    """Serves one client at a time as QEMU's channel does, and answers what `handler` says."""

    def __init__(self, directory: Path) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.handler: Handler = lambda command, arguments: encode({})
        self.noise = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / "agent.sock"))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # A client that gives up in the middle of an answer may reset the connection.
            with (
                contextlib.suppress(ConnectionResetError),
                connection,
                connection.makefile("rb") as lines,
            ):
                for line in lines:
                    self._answer(connection, line)

    def _answer(self, connection: socket.socket, line: bytes) -> None:
        message = json.loads(line.lstrip(b"\xff"))
        command, arguments = message["execute"], message["arguments"]
        if command == "guest-sync-delimited":
            # What an earlier client did not read comes first.
            answer = self.noise + b"\xff" + encode(arguments["id"])
        else:
            self.calls.append((command, arguments))
            answer = self.handler(command, arguments)
        try:
            connection.sendall(answer)
        except OSError:
            return


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[ScriptedAgent]:
    server = ScriptedAgent(tmp_path)
    yield server
    server.close()


def program(
    *, exit_code: int | None = 0, stdout: bytes = b"", stderr: bytes = b"", **more: Any
) -> Handler:
    def handler(command: str, arguments: dict[str, Any]) -> bytes:
        if command == "guest-exec":
            return encode({"pid": 7})
        if command == "guest-exec-status":
            ended = {
                "exited": True,
                "out-data": base64.b64encode(stdout).decode(),
                "err-data": base64.b64encode(stderr).decode(),
            }
            if exit_code is not None:
                ended["exitcode"] = exit_code
            return encode(ended | more)
        return encode({})

    return handler


def test_a_program_brings_back_its_streams_and_exit_code(
    agent: ScriptedAgent, tmp_path: Path
) -> None:
    agent.handler = program(exit_code=3, stdout=b"out\xff", stderr=b"err")
    outcome = GuestAgent(tmp_path).execute(["/bin/x", "-a", "b c"], stdin=b"in\0")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (3, b"out\xff", b"err")
    assert not outcome.truncated
    assert agent.calls[0] == (
        "guest-exec",
        {
            "path": "/bin/x",
            "arg": ["-a", "b c"],
            "capture-output": True,
            "input-data": base64.b64encode(b"in\0").decode(),
        },
    )


def test_a_signal_becomes_the_shell_s_exit_code(agent: ScriptedAgent, tmp_path: Path) -> None:
    agent.handler = program(exit_code=None, signal=9)
    assert GuestAgent(tmp_path).execute(["x"]).exit_code == 137


def test_cut_output_is_reported(agent: ScriptedAgent, tmp_path: Path) -> None:
    agent.handler = program(**{"err-truncated": True})
    assert GuestAgent(tmp_path).execute(["x"]).truncated


def test_a_long_program_is_asked_for_until_it_ends(agent: ScriptedAgent, tmp_path: Path) -> None:
    answers = iter([encode({"pid": 7}), encode({"exited": False}), encode({"exited": False})])
    done = program(stdout=b"at last")
    agent.handler = lambda command, arguments: next(answers, None) or done(command, arguments)
    assert GuestAgent(tmp_path).execute(["x"]).stdout == b"at last"
    assert [command for command, _ in agent.calls[1:]] == ["guest-exec-status"] * 3
    assert agent.calls[1][1] == {"pid": 7}


@pytest.mark.parametrize(
    "noise",
    [
        b'{"return": "somebody else\'s answer"}\n',
        b"half an answer, no newline",
        b'\xff{"return": 12345}\n',
        b"\xff" + b'{"error": {"desc": "old"}}\n',
    ],
)
def test_what_an_earlier_client_left_is_thrown_away(
    agent: ScriptedAgent, tmp_path: Path, noise: bytes
) -> None:
    agent.noise = noise
    agent.handler = program(stdout=b"mine")
    assert GuestAgent(tmp_path).execute(["x"]).stdout == b"mine"


def test_a_refusal_is_passed_on(agent: ScriptedAgent, tmp_path: Path) -> None:
    agent.handler = lambda command, arguments: refusal("Failed to execute child process")
    with pytest.raises(AgentRefusedError, match="refused guest-exec: Failed to execute"):
        GuestAgent(tmp_path).execute(["nonesuch"])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"nonsense\n", "cannot be read"),
        (encode({"pid": "seven"}), "another form"),
        (encode([]), "another form"),
    ],
)
def test_a_broken_answer_is_an_error(
    agent: ScriptedAgent, tmp_path: Path, answer: bytes, reason: str
) -> None:
    agent.handler = lambda command, arguments: answer
    with pytest.raises(AgentRefusedError, match=reason):
        GuestAgent(tmp_path).execute(["x"])


@pytest.mark.parametrize(
    ("more", "reason"),
    [({"out-data": "!!!"}, "no base64"), ({"exitcode": None}, "did not say how")],
)
def test_a_broken_end_is_an_error(
    agent: ScriptedAgent, tmp_path: Path, more: dict[str, Any], reason: str
) -> None:
    agent.handler = program(**more)
    with pytest.raises(AgentRefusedError, match=reason):
        GuestAgent(tmp_path).execute(["x"])


def test_an_answer_without_end_is_cut_off(
    agent: ScriptedAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "ANSWER_BYTES_MAX", 1 << 20)
    agent.handler = lambda command, arguments: b"x" * (4 << 20)
    with pytest.raises(AgentRefusedError, match="has no end"):
        GuestAgent(tmp_path).execute(["x"])


def test_too_much_input_is_refused_before_it_is_sent(agent: ScriptedAgent, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than 8 MiB"):
        GuestAgent(tmp_path).execute(["x"], stdin=bytes((8 << 20) + 1))
    assert agent.calls == []


def test_waiting_returns_when_the_agent_comes_up(tmp_path: Path) -> None:
    started: list[ScriptedAgent] = []

    def later() -> None:
        time.sleep(0.2)
        started.append(ScriptedAgent(tmp_path))

    thread = threading.Thread(target=later)
    thread.start()
    GuestAgent(tmp_path).wait(10)
    thread.join()
    assert [command for command, _ in started[0].calls] == ["guest-ping"]
    started[0].close()


def test_an_agent_that_never_comes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AgentUnavailableError, match="does not answer") as caught:
        GuestAgent(tmp_path).wait(0.1)
    assert caught.value.hint is not None
    assert "still be booting" in caught.value.hint


def test_a_channel_without_an_agent_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "_SYNC_TIMEOUT_S", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent.sock"))
        listener.listen(8)
        with pytest.raises(AgentUnavailableError):
            GuestAgent(tmp_path).wait(0.3)


def test_a_machine_that_dies_under_a_command_is_an_error(
    agent: ScriptedAgent, tmp_path: Path
) -> None:
    def die(command: str, arguments: dict[str, Any]) -> bytes:
        (tmp_path / "agent.sock").unlink()
        return encode({"pid": 7})

    agent.handler = die
    with pytest.raises(ConflictError, match=r"nothing answers on .*agent.sock"):
        GuestAgent(tmp_path).execute(["x"])


def test_a_folder_path_longer_than_a_socket_name_may_be(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    short = tmp_path / "short"
    short.mkdir()
    server = ScriptedAgent(short)
    (short / "agent.sock").rename(deep / "agent.sock")
    try:
        GuestAgent(deep).wait(5)
    finally:
        server.close()


def test_a_command_in_a_service_has_the_service_s_rights(
    agent: ScriptedAgent, tmp_path: Path
) -> None:
    agent.handler = program(stdout=b"keys")
    outcome = Guest(tmp_path).run_in_service("store", ["ingot", "server", "keys"])
    assert outcome.stdout == b"keys"
    assert agent.calls[0][1]["path"] == "/usr/lib/ingot/exec"
    assert agent.calls[0][1]["arg"] == ["store", "ingot", "server", "keys"]


def crun(services: bytes) -> Handler:
    last: dict[str, Any] = {}

    def handler(command: str, arguments: dict[str, Any]) -> bytes:
        if command == "guest-exec":
            last.update(arguments)
            return encode({"pid": 7})
        if last["arg"][0] == "list":
            return program(stdout=services)(command, arguments)
        words = b"error opening file `/run/crun/x/status`: No such file or directory\n"
        return program(exit_code=1, stderr=words)(command, arguments)

    return handler


def test_a_service_that_is_not_there_lists_those_that_are(
    agent: ScriptedAgent, tmp_path: Path
) -> None:
    agent.handler = crun(b"store\nweb\n")
    with pytest.raises(NotFoundError, match="no service 'x'") as caught:
        Guest(tmp_path).run_in_service("x", ["true"])
    assert caught.value.hint == "running: store, web"


def test_a_command_that_fails_with_the_same_words_is_the_command_s_failure(
    agent: ScriptedAgent, tmp_path: Path
) -> None:
    agent.handler = crun(b"x\n")
    outcome = Guest(tmp_path).run_in_service("x", ["cat", "nothing"])
    assert outcome.exit_code == 1


def test_an_interrupted_wait_ends_the_command_in_the_guest(
    agent: ScriptedAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = threading.Event()

    def handler(command: str, arguments: dict[str, Any]) -> bytes:
        if command == "guest-exec":
            if "kill" in arguments["arg"]:
                killed.set()
                return encode({"pid": 8})
            return encode({"pid": 7})
        if command == "guest-ping":
            return encode({})
        ended = arguments["pid"] == 8 or killed.is_set()
        return encode({"exited": True, "exitcode": 0} if ended else {"exited": False})

    def interrupt(delay_s: float) -> None:
        if not killed.is_set():
            raise KeyboardInterrupt

    agent.handler = handler
    monkeypatch.setattr(agent_module.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Guest(tmp_path).run_in_service("web", ["sleep", "1000"])
    assert [arguments for command, arguments in agent.calls if command == "guest-exec"][1] == {
        "path": "/bin/busybox",
        "arg": ["kill", "-TERM", "7"],
        "capture-output": True,
    }
    assert agent.calls[-1] == ("guest-exec-status", {"pid": 7}), "the agent may forget it now"


def test_a_wait_has_an_end(agent: ScriptedAgent, tmp_path: Path) -> None:
    agent.handler = lambda command, arguments: encode({"exited": False})
    with pytest.raises(AgentUnavailableError, match="process 7 in the guest still runs"):
        GuestAgent(tmp_path).wait_for(7, 0.05)


def test_a_program_the_guest_lacks_is_named(agent: ScriptedAgent, tmp_path: Path) -> None:
    words = "Failed to execute child process \u201cps\u201d (No such file or directory)"
    agent.handler = lambda command, arguments: refusal(words)
    with pytest.raises(NotFoundError, match="the guest has no program 'ps'"):
        Guest(tmp_path).run(["ps"])
    agent.handler = lambda command, arguments: refusal("The command has been disabled")
    with pytest.raises(AgentRefusedError, match="has been disabled"):
        Guest(tmp_path).run(["ps"])


def test_the_list_of_services_must_be_had(agent: ScriptedAgent, tmp_path: Path) -> None:
    agent.handler = program(exit_code=1, stderr=b"no crun here\n")
    with pytest.raises(Error, match="cannot list its services: no crun here"):
        Guest(tmp_path).services()


def test_an_option_is_no_service(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot be the name"):
        Guest(tmp_path).run_in_service("--tty", ["sh"])
