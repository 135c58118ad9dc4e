"""Commands inside a machine's services: crun in the guest, reached through the guest agent."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from ingot.base.errors import Error, NotFoundError
from ingot.vm.guest.agent import AgentRefusedError, GuestAgent, Outcome
from ingot.vm.guest.streams import run_streamed
from ingot.vm.guest.terminals import run_on_terminal

_CRUN = "/usr/bin/crun"
# The init component's script: crun exec with the service's own user and rights.
_EXEC = "/usr/lib/ingot/exec"
# How the agent says that a program is not there (the words of g_spawn).
_NO_PROGRAM = "No such file or directory"
# How crun 1.8 and later say that a container is not there.
_UNKNOWN = (b"does not exist", b"No such file or directory")


class Guest:
    """The inside of one running machine.

    Args:
        directory: the machine's folder.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._agent = GuestAgent(directory)

    def wait(self, timeout_s: float) -> None:
        """Return when the guest takes commands.

        Raises:
            AgentUnavailableError: it does not within `timeout_s`.
        """
        self._agent.wait(timeout_s)

    def _execute(self, command: Sequence[str], stdin: bytes) -> Outcome:
        """Run a command, and end it in the guest too when the user interrupts the wait for it."""
        pid = self._agent.start(command, stdin=stdin)
        try:
            return self._agent.wait_for(pid)
        except KeyboardInterrupt:
            with contextlib.suppress(Error):
                # Of a command in a service this is crun, which passes the signal on.
                self._agent.end(pid)
            raise

    def run(self, command: Sequence[str], *, stdin: bytes = b"") -> Outcome:
        """Run a command as root in the guest's operating system; see `GuestAgent.execute`.

        Raises:
            NotFoundError: there is no such program.
        """
        try:
            return self._execute(command, stdin)
        except AgentRefusedError as error:
            if _NO_PROGRAM not in error.message:
                raise
            raise NotFoundError(
                f"the guest has no program {command[0]!r}",
                hint="the tools of its operating system are applets: busybox NAME",
            ) from error

    def run_in_service(
        self, service: str, command: Sequence[str], *, stdin: bytes = b""
    ) -> Outcome:
        """Run a command inside a service, with the service's own rights and limits.

        Raises:
            NotFoundError: no service of that name runs; the hint lists those that do.
        """
        outcome = self._execute(_in_service(service, command), stdin)
        self._explain(service, outcome.exit_code, outcome.stderr)
        return outcome

    def stream(self, command: Sequence[str], *, service: str | None, stdin: int | None) -> int:
        """Run a command with this process's streams, as they come; return its exit code.

        Args:
            command: the program and its arguments.
            service: where to run it; None is the guest's operating system.
            stdin: what it reads; None is nothing.

        Raises:
            NotFoundError: there is no such service or program.
        """
        words = command if service is None else _in_service(service, command)
        exit_code, tail = run_streamed(self._directory, words, stdin=stdin)
        if service is not None:
            self._explain(service, exit_code, tail)
        return exit_code

    def on_terminal(self, command: Sequence[str], *, service: str | None, term: str) -> int:
        """Run a command on a terminal of its own, which is this process's; return its exit code.

        Args:
            command: the program and its arguments.
            service: where to run it; None is the guest's operating system.
            term: what kind of terminal it is.

        Raises:
            NotFoundError: there is no such service or program.
        """
        words = command if service is None else _in_service(service, command)
        exit_code = run_on_terminal(self._directory, words, term)
        if service is not None and exit_code:
            self._refuse_absent(service)
        return exit_code

    def _explain(self, service: str, exit_code: int, stderr: bytes) -> None:
        if exit_code and any(words in stderr for words in _UNKNOWN):
            # The command itself may have said such words, so the list decides.
            self._refuse_absent(service)

    def _refuse_absent(self, service: str) -> None:
        running = self.services()
        if service not in running:
            raise NotFoundError(
                f"no service {service!r} is running in the machine",
                hint=f"running: {', '.join(running) or 'none'}",
            )

    def services(self) -> list[str]:
        """Return the names of the services that run."""
        outcome = self._agent.execute([_CRUN, "list", "--quiet"])
        if outcome.exit_code:
            why = outcome.stderr.decode("utf-8", "replace").strip()
            raise Error(f"the guest cannot list its services: {why}")
        return outcome.stdout.decode("utf-8", "replace").split()


def _in_service(service: str, command: Sequence[str]) -> list[str]:
    # crun would take it for an option.
    if service.startswith("-"):
        raise NotFoundError(f"{service!r} cannot be the name of a service")
    return [_EXEC, service, *command]
