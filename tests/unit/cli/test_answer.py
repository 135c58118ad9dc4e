"""How names that somebody made up are written for a shell: services have some that ours has not."""

from __future__ import annotations

import pytest
from click.shell_completion import CompletionItem

from ingot.cli import _answer
from ingot.cli._completion import NAME


@pytest.mark.parametrize(
    ("shell", "arguments", "written"),
    [
        ("bash", ["ingot admin user info s3 c", "c", "9"], r"cn=ann\ \$1,ou=a/b"),
        ("bash", ["ingot admin user info s3 cn=a", "a", "9"], r"ann\ \$1,ou=a/b"),
        ("bash", ["ingot admin user info s3 'c", "c", "9"], "cn=ann $1,ou=a/b"),
        ("bash", ["ingot admin user info s3 c", "c", "63"], "cn=ann $1,ou=a/b"),
        ("zsh", ["admin", "user", "info", "s3", "c"], "cn=ann $1,ou=a/b"),
    ],
)
def test_names_are_quoted_as_the_shell_wants_it(
    shell: str, arguments: list[str], written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [CompletionItem("cn=ann $1,ou=a/b", type=NAME)]
    monkeypatch.setattr(_answer, "_items", lambda _: found)
    (line,) = _answer._lines(_answer._question(shell, arguments))
    assert line.decode() == f"word\x1f{written}\x1f\n"
