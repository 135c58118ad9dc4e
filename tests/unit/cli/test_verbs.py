"""What all object verbs have in common: an example, JSON, and completion of what they act on."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from ingot.cli.commands import SHARED_WITH_MC
from ingot.cli.main import ingot

# Words like if=…, that no shell cuts where a completion could begin.
_UNCOMPLETED = {("od", "words")}


def leaves(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the verb itself, or every verb below it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, *path, name)


def verbs() -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(ingot)
    found = []
    for row in SHARED_WITH_MC:
        command = ingot.get_command(context, row.name)
        assert command is not None
        found += list(leaves(command, row.name))
    return found


VERBS = verbs()
NAMES = [" ".join(path) for path, _ in VERBS]


@pytest.mark.parametrize("path", [path for path, _ in VERBS], ids=NAMES)
def test_every_verb_has_help_with_an_example_and_speaks_json(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(ingot, [*path, "--help"])
    assert done.exit_code == 0, done.output
    assert f"ingot {' '.join(path)}" in done.output.partition("Examples:")[2]
    assert "--json" in done.output


@pytest.mark.parametrize(("path", "command"), VERBS, ids=NAMES)
def test_what_a_verb_acts_on_is_completed(path: tuple[str, ...], command: click.Command) -> None:
    for parameter in command.params:
        if not isinstance(parameter, click.Argument) or (path[-1], parameter.name) in _UNCOMPLETED:
            continue
        if parameter.name in {"targets", "target", "source", "sources", "rest"}:
            assert parameter._custom_shell_complete is not None, parameter.name
