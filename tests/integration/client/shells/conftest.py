"""Interactive shells on a terminal, in which `ingot` is completed and tells its words."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 60.0
PROMPT = "ready> "
# Completes with the real program; a line that is run leaves its words, as the shell read them.
PROGRAM = """\
#!/bin/sh
if [ -n "$_INGOT_COMPLETE" ] || [ "$1" = completion ]; then
    exec "{python}" -m ingot "$@" 2>>"{errors}"
fi
printf '%s\\0' "$@" >"{line}.new"
mv "{line}.new" "{line}"
"""
SETTINGS = {
    "bash": """\
unset HISTFILE
PS1='{prompt}'
bind 'set bell-style none'
bind 'set enable-bracketed-paste off'
source <(ingot completion bash)
""",
    "zsh": """\
unset HISTFILE
unsetopt beep prompt_sp
fpath=("$ZDOTDIR/functions" $fpath)
autoload -Uz compinit
compinit -D -u
""",
    "fish": """\
function fish_prompt; echo -n '{prompt}'; end
function fish_greeting; end
""",
}
COMMANDS = {
    "bash": ("--noprofile", "--rcfile", "{settings}", "-i"),
    "zsh": ("-d", "-i"),
    "fish": ("-i",),
}


@dataclass
class Shell:
    """An interactive shell on a terminal of its own."""

    kind: str
    folder: Path
    settings: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    screen: str = ""
    _pid: int = 0
    _terminal: int = -1
    _seen: bytes = field(default=b"", repr=False)

    @property
    def _line(self) -> Path:
        return self.folder / "line"

    @property
    def errors(self) -> str:
        """What the real program wrote to its standard error."""
        path = self.folder / "errors"
        return path.read_text() if path.exists() else ""

    def start(self) -> None:
        found = shutil.which(self.kind)
        assert found is not None, f"no {self.kind}; requirements/debian.txt lists it"
        settings = self.folder / (".zshrc" if self.kind == "zsh" else "settings")
        settings.write_text(SETTINGS[self.kind].replace("{prompt}", PROMPT) + self.settings)
        arguments = [word.replace("{settings}", str(settings)) for word in COMMANDS[self.kind]]
        if self.kind == "fish":
            arguments += ["-C", f"source {settings}"]
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execve(found, [self.kind, *arguments], self.environment)
        self.wait_for(PROMPT)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until the terminal shows it, after what was waited for before."""
        self._until(lambda: text in self._shown(), f"shows {text!r}")
        self._seen = self._seen.partition(text.encode())[2]

    def words(self, keys: str) -> list[str]:
        """Type keys and Enter; return the words that the command was run with."""
        self._line.unlink(missing_ok=True)
        self.type(f"{keys}\r")
        self._until(self._line.exists, f"runs {keys!r}")
        self.wait_for(PROMPT)
        return self._line.read_bytes().decode().split("\0")[:-1]

    def offers(self, keys: str, *expected: str) -> str:
        """Type keys and Tab twice; wait for all that is expected; return what was shown."""
        self.type(f"{keys}\t")
        self.type("\t")
        self._until(lambda: all(text in self._shown() for text in expected), f"offers {expected}")
        shown = self._shown()
        # Leaves a menu, then the line.
        self.type("\x03")
        self.wait_for(PROMPT)
        return shown

    def end(self) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._terminal)

    def _shown(self) -> str:
        return self._seen.decode(errors="replace")

    def _until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{self.kind} {what}\n{self.screen!r}"
            if select.select([self._terminal], [], [], 0.05)[0]:
                data = os.read(self._terminal, 65536)
                self._seen += data
                self.screen += data.decode(errors="replace")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is bound, so nobody else takes it, and refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def shell_of(remote: Any, tmp_path: Path) -> Iterator[Callable[..., Shell]]:
    """Start a shell in which `ingot` is completed; its working directory is `here` of the test."""
    started: list[Shell] = []
    (tmp_path / "here").mkdir()

    def start(kind: str, settings: str = "", **variables: str) -> Shell:
        folder = tmp_path / kind
        (folder / "bin").mkdir(parents=True)
        (folder / "functions").mkdir()
        program = folder / "bin" / "ingot"
        program.write_text(
            PROGRAM.format(python=sys.executable, errors=folder / "errors", line=folder / "line")
        )
        program.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PS1": PROMPT,
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "ZDOTDIR": str(folder),
            "INPUTRC": "/dev/null",
            # Nothing here is about how fast the machine is.
            "INGOT_COMPLETION_TIMEOUT": "1m",
            **variables,
        }
        _install(kind, folder, environment)
        shell = Shell(kind, folder, settings, environment)
        started.append(shell)
        shell.start()
        return shell

    os.chdir(tmp_path / "here")
    yield start
    for shell in started:
        shell.end()


def _install(kind: str, folder: Path, environment: dict[str, str]) -> None:
    """Put the script where the documentation says, by the command that it names."""
    if kind == "zsh":
        target = folder / "functions" / "_ingot"
    elif kind == "fish":
        target = Path(environment["HOME"]) / ".config/fish/completions/ingot.fish"
    else:
        return  # its settings read it
    target.parent.mkdir(parents=True, exist_ok=True)
    command = f"'{folder}/bin/ingot' completion {kind} > '{target}'"
    assert os.waitstatus_to_exitcode(os.system(command)) == 0
