"""Every command speaks JSON, and what it says is documented: the contract behind `--json`.

That commands print what is documented is checked wherever tests run them (tests/conftest.py).
"""

from collections.abc import Iterator
from pathlib import Path

import click

from ingot.cli._fields import ROWS, fields_of, rows_of
from ingot.cli.main import ingot


def leaves(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(leaves(ingot))


def test_every_command_takes_json() -> None:
    assert len(COMMANDS) > 100
    mute = [
        name
        for name, command in COMMANDS.items()
        if not any("--json" in parameter.opts for parameter in command.params)
    ]
    assert mute == []


def test_every_command_has_its_lines_documented(root: Path) -> None:
    assert [name for name in COMMANDS if not rows_of(name)] == []
    page = (root / "docs/reference/json.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in page] == []


def test_no_line_is_of_a_command_that_is_not_there() -> None:
    named = {name for row in ROWS for name in row.commands}
    assert named - COMMANDS.keys() == set()


def test_a_line_is_documented_once() -> None:
    for row in ROWS:
        names = [field.name for field in fields_of(row)]
        assert len(names) == len(set(names)), row
        assert "status" not in names, "every line has it"
        assert bool(names) != bool(row.raw), row
