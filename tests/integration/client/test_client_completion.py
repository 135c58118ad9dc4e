"""Completion as the shells ask for it, and in a real bash."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest


def offered(*words: str) -> list[str]:
    """Return what is offered for the last word, as bash asks."""
    variables = {
        "_INGOT_COMPLETE": "bash_complete",
        "COMP_WORDS": "\n".join(("ingot", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "ingot"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_verbs_and_options_are_offered(home: Path) -> None:
    assert {"plain,mirror", "plain,mb"} <= set(offered("m"))
    assert offered("mirror", "--wat") == ["plain,--watch"]


def test_aliases_buckets_and_keys_are_offered(remote: Any) -> None:
    remote.put_all({"a b.txt": b"", "d/e": b"", "line\nbreak": b"", "other": b""})
    assert offered("ls", "s") == ["plain,s3/"]
    assert offered("ping", "s") == ["plain,s3"]
    assert offered("ls", remote.address[:-1]) == [f"plain,{remote.address}/"]
    assert offered("cat", f"{remote.address}/") == [
        f"plain,{remote.address}/{key}" for key in ("a b.txt", "d/", "other")
    ]
    assert offered("cp", "x", f"{remote.address}/d/") == [f"plain,{remote.address}/d/e"]


def test_verbs_below_verbs_are_completed(remote: Any) -> None:
    assert {"plain,set", "plain,list", "plain,remove"} == set(offered("tag", ""))
    assert offered("ilm", "rule", "e") == ["plain,edit", "plain,export"]
    assert offered("retention", "set", "g") == ["plain,governance"]
    assert offered("retention", "set", "governance", "1d", "s") == ["plain,s3/"]
    assert offered("ilm", "rule", "add", "--expire-da") == [
        "plain,--expire-days",
        "plain,--expire-date",
    ]
    assert offered("anonymous", "set", "download", remote.address) == [f"plain,{remote.address}/"]
    assert offered("put", "x", "s") == ["plain,s3/"]


def test_local_paths_are_offered_where_they_may_stand(remote: Any, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_text("")
    assert offered("cp", "s") == ["plain,s3/", "plain,sub/"]
    assert offered("cp", "sub/") == ["plain,sub/file"]
    assert offered("cp", "./s") == ["file,./s"]
    assert offered("ls", "sub/") == ["plain,sub/file"]
    assert offered("rm", "sub/") == []


def test_a_service_that_does_not_answer_offers_nothing_soon(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("MC_HOST_silent", f"http://a:b@127.0.0.1:{port}")
        began_s = time.monotonic()
        assert offered("ls", "silent/b/") == []
        assert time.monotonic() - began_s < 10


def test_the_script_works_in_bash(remote: Any, tmp_path: Path) -> None:
    remote.put_all({"a b*.txt": b"", "d/e": b""})
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ingot"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ingot "$@"\n')
    program.chmod(0o755)
    script = (
        'source <(ingot completion bash); compopt() { echo "compopt $*"; };'
        'COMP_WORDS=(ingot cat "$1"); COMP_CWORD=2; _ingot_completion ingot;'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )

    def completed(word: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", script, "bash", word],
            env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert completed(f"{remote.address}/a\\ b") == [rf"{remote.address}/a\ b\*.txt"]
    assert completed(f"{remote.address}/d") == ["compopt -o nospace", f"{remote.address}/d/"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_their_scripts(cli: Any, shell: str) -> None:
    result = cli("completion", shell)
    assert (result.code, result.err) == (0, "")
    assert f"_INGOT_COMPLETE={shell}_complete" in result.out
    assert cli("completion", "cmd").code == 2
