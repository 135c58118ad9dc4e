"""Output formats: one module each, with a class instance named OUTPUT, found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ingot.appliance.plan import Plan
from ingot.base.errors import UsageError

Role = Literal["kernel", "initrd", "cmdline", "tar"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how an output writes.

    Attributes:
        folder: an empty folder of this build; nothing in it is visible before all is done.
        name: what file names start with.
        compress_level: of zstd, 1 to 22; None is the output's default, which favours speed.
    """

    folder: Path
    name: str
    compress_level: int | None = None


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file an output wrote; `file_name` is relative to the target's folder."""

    role: Role
    file_name: str


class Output(Protocol):
    """One format. The same plan gives the same bytes, at any time, path and machine."""

    name: str
    """What `--format` calls it; LinuxKit's name where LinuxKit has the format."""
    suffixes: tuple[str, ...]
    """What its files' names add to the appliance's name."""
    needs: tuple[str, ...]
    """Programs of the host without which it cannot work."""

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write all files of the format.

        Raises:
            UsageError: the appliance lacks something the format must have.
            MissingToolError: one of `needs` is not installed.
            Error: a tool failed.
        """
        ...


def find_outputs() -> dict[str, Output]:
    """Return every format by its name, sorted."""
    found: list[Output] = [
        importlib.import_module(f"{__name__}.{module.name}").OUTPUT
        for module in pkgutil.iter_modules(__path__)
    ]
    return {output.name: output for output in sorted(found, key=lambda output: output.name)}


def find_output(name: str) -> Output:
    """Return the format called `name`; raises UsageError if there is none."""
    outputs = find_outputs()
    if name not in outputs:
        raise UsageError(
            f"there is no output format {name!r}", hint=f"formats: {', '.join(outputs)}"
        )
    return outputs[name]
