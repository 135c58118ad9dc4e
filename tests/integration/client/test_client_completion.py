"""What `ingot` answers a shell that asks how a line may go on; real shells are in shells/."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def answered(*words: str, shell: str = "zsh") -> list[list[str]]:
    """Return the fields of what is offered for the last word."""
    # Few tests are about how fast an answer is, and none of how fast the machine is.
    variables = {"INGOT_COMPLETION_TIMEOUT": "1m", **os.environ, "_INGOT_COMPLETE": shell}
    done = subprocess.run(
        [sys.executable, "-m", "ingot", *words],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    assert done.stderr == ""
    return [line.split("\x1f") for line in done.stdout.splitlines()]


def offered(*words: str) -> list[str]:
    """Return the kind and the value of what is offered for the last word."""
    return [f"{kind},{value}" for kind, value, _ in answered(*words)]


def test_verbs_and_options_are_offered_with_what_they_mean(home: Path) -> None:
    assert ["word", "mb", "Make a bucket."] in answered("m")
    assert offered("mirror", "--wat") == ["word,--watch"]
    assert all(help_text for _, _, help_text in answered("mirror", "--"))


def test_aliases_buckets_and_keys_are_offered(remote: Any) -> None:
    remote.put_all({"a b.txt": b"", "d/": b"", "d/e": b"", "line\nbreak": b"", "other": b""})
    assert offered("rm", "s") == ["address,s3/"]
    assert offered("ping", "s") == ["word,s3"]
    assert offered("alias", "set", "s") == ["word,s3"]
    assert offered("ls", remote.address[:-1]) == [f"address,{remote.address}/"]
    assert offered("cat", f"{remote.address}/") == [
        f"address,{remote.address}/{key}" for key in ("a b.txt", "d/", "other")
    ]
    # The folder that is an object itself is typed already.
    assert offered("cp", "x", f"{remote.address}/d/") == [f"address,{remote.address}/d/e"]


def test_verbs_below_verbs_are_completed(remote: Any) -> None:
    assert {"word,set", "word,list", "word,remove"} == set(offered("tag", ""))
    assert offered("ilm", "rule", "e") == ["word,edit", "word,export"]
    assert offered("retention", "set", "g") == ["word,governance"]
    assert offered("retention", "set", "governance", "1d", "s") == ["address,s3/"]
    assert offered("ilm", "rule", "add", "--expire-da") == [
        "word,--expire-days",
        "word,--expire-date",
    ]
    assert offered("anonymous", "set", "download", remote.address) == [f"address,{remote.address}/"]
    assert offered("put", "x", "s") == ["address,s3/"]


def test_words_of_a_few_are_offered(home: Path) -> None:
    assert offered("build", "--arch", "") == ["word,amd64", "word,arm64"]
    assert offered("build", "--format=tar,raw-e") == [
        "word,--format=tar,raw-efi",
        "word,--format=tar,raw-erofs",
    ]
    assert offered("sql", "--compression", "g") == ["word,gzip"]
    assert offered("cp", "--checksum", "CRC6") == ["word,CRC64NVME"]
    assert offered("undo", "--action", "p") == ["word,put"]
    assert offered("watch", "--events", "put,g") == ["word,put,get"]
    assert offered("event", "add", "--event", "put,s3:Scanner:M") == [
        "word,put,s3:Scanner:ManyVersions"
    ]
    assert offered("replicate", "add", "--replicate", "delete,d") == ["word,delete,delete-marker"]


def test_machines_are_offered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    for name in ("store", "other"):
        folder = home / "state/ingot/machines" / name
        folder.mkdir(parents=True)
        (folder / "machine.json").write_text("{}")
    assert offered("stop", "") == ["word,other", "word,store"]
    assert offered("exec", "st") == ["word,store"]
    assert offered("snapshot", "save", "o") == ["word,other"]


def test_local_paths_are_left_to_the_shell_where_they_may_stand(remote: Any) -> None:
    assert offered("cp", "s") == ["address,s3/", "file,s"]
    assert offered("cp", "sub/") == ["file,sub/"]
    assert offered("cp", "./s") == ["file,./s"]
    assert offered("cp", "~/s") == ["file,~/s"]
    assert offered("ls", "sub/") == ["file,sub/"]
    assert offered("rm", "sub/") == []
    assert offered("lock", "") == offered("run", "") == offered("build", "-o", "") == ["file,"]
    assert offered("server", "check", "d") == ["dir,d"]
    assert offered("server", "ke") == ["word,keys", "dir,ke"]
    assert offered("server", "--workers", "1", "ke") == ["dir,ke"]


def test_a_level_of_many_names_shows_how_else_names_begin(remote: Any) -> None:
    keys = [f"same-{number:03}" for number in range(250)]
    keys += ["sample", "samples", "sea", "z/1", "z/2"]
    remote.put_all(dict.fromkeys(keys, b""))
    values = offered("cat", f"{remote.address}/")
    names = [value.rpartition("/")[2] or "z/" for value in values]
    assert (names[:200], names[200:]) == (keys[:200], ["sample", "sea", "z/"])
    # Below what they all begin with, there is nothing to ask for.
    assert len(offered("cat", f"{remote.address}/same-")) == 200


def test_bash_is_answered_from_where_it_replaces(remote: Any) -> None:
    remote.put_all({"a:b c": b"", "a:d/": b""})
    line = f'ingot --json cat "x y" {remote.address}/a:'
    assert answered(line, "", "9", shell="bash") == [
        ["address", r"b\ c", ""],
        ["address", "d/", ""],
    ]
    line = f'ingot cat "{remote.address}/a:b'
    whole = f"{remote.address}/a:b c"
    assert answered(line, line[11:], "9", shell="bash") == [["address", whole, ""]]
    assert answered(line, line[11:], "63", shell="bash") == [["address", "a:b c", ""]]
    assert answered(f"ingot cat {remote.address} >o", "o", "9", shell="bash") == [["file", "o", ""]]


def test_options_about_connections_hold(
    server: Any, remote: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://{server.access_key}:{server.secret_key}@nowhere.test:{server.port}"
    monkeypatch.setenv("MC_HOST_far", url)
    address = remote.address.replace("s3/", "far/", 1)
    options = ("--resolve", "nowhere.test=127.0.0.1")
    assert offered(*options, "ls", address) == [f"address,{address}/"]
    assert offered("ls", *options, address) == [f"address,{address}/"]
    # Requests are not shown, not even to who wants to see them.
    monkeypatch.setenv("INGOT_DEBUG", "1")
    assert offered("--debug", *options, "ls", address) == [f"address,{address}/"]


def test_another_folder_of_aliases_holds(home: Path, server: Any, cli: Any) -> None:
    folder = home / "elsewhere"
    keys = (server.access_key, server.secret_key)
    done = cli("--config-dir", folder, "alias", "set", "there", server.endpoint, *keys)
    assert done.code == 0
    assert offered("rm", "th") == []
    assert offered("-C", str(folder), "rm", "th") == ["address,there/"]
    assert offered("ping", "--config-dir", str(folder), "th") == ["word,there"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("no-such-verb", ""),
        ("ls", "--no-such-option", ""),
        ("mirror", "--max-workers", "many", ""),
        ("ls", "no-such-alias/"),
        ("ls", "s3/no-such-bucket/"),
        ("ls", "\udcff/"),
        ("-",),
        ("cp", "--", "--x=", ""),
    ],
)
def test_wrong_command_lines_are_no_errors(words: tuple[str, ...], remote: Any) -> None:
    answered(*words)


def test_a_broken_list_of_aliases_is_no_error(home: Path) -> None:
    folder = Path(os.environ["INGOT_CONFIG_DIR"])
    folder.mkdir()
    for name in ("aliases.json", "config.json"):
        (folder / name).write_text("{")
    assert offered("rm", "") == []


@pytest.fixture
def trickle_port() -> Iterator[int]:
    """A port where an answer begins and never ends, a byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                    while True:
                        connection.sendall(b" ")
                        time.sleep(0.1)
            except OSError:  # who asked is gone
                return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("patience", ["500ms", "1s", "soon", "-1"])
def test_an_answer_that_trickles_in_is_not_waited_for(
    home: Path, trickle_port: int, patience: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MC_HOST_slow", f"http://a:b@127.0.0.1:{trickle_port}")
    monkeypatch.setenv("INGOT_COMPLETION_TIMEOUT", patience)
    assert offered("ls", "slow/b/") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed_and_parse(cli: Any, shell: str, tmp_path: Path) -> None:
    result = cli("completion", shell)
    assert (result.code, result.err) == (0, "")
    (tmp_path / "script").write_text(result.out)
    parsed = subprocess.run([shell, "-n", tmp_path / "script"], capture_output=True, check=False)
    assert (parsed.returncode, parsed.stderr) == (0, b"")
    (document,) = cli("completion", shell, "--json").documents()
    assert document["script"] == result.out
    assert cli("completion", "cmd").code == 2


def test_who_may_use_a_service_is_offered(remote: Any, cli: Any) -> None:
    """The service is the tests' own: others may have left names of theirs."""
    for command in (
        ("user", "add", "s3", "zoe-one", "a-secret-key"),
        ("user", "add", "s3", "zoe+two", "a-secret-key"),
        ("group", "add", "s3", "zoo", "zoe-one"),
        ("accesskey", "create", "s3", "zoe-one", "--access-key", "ZOEKEY1"),
        ("policy", "attach", "s3", "readonly", "--user", "zoe-one"),
    ):
        done = cli("admin", *command)
        assert done.code == 0, done.err
    for line, meant in {
        "user info s3 zo": ["zoe+two", "zoe-one"],
        "user disable s3 zoe-one zo": ["zoe+two"],
        "group add s3 zo": ["zoo"],
        "group add s3 zoo zo": ["zoe+two", "zoe-one"],
        "group remove s3 zoo zo": ["zoe-one"],
        "group info s3 zo": ["zoo"],
        "policy info s3 reado": ["readonly"],
        "policy attach s3 readonly reado": [],
        "policy attach s3 readonly --user zoe-": ["zoe-one"],
        "policy attach s3 readonly --user=zoe-": ["zoe-one"],
        "policy detach s3 readonly -g zo": ["zoo"],
        "policy entities --policy readonly s3 --group zo": ["zoo"],
        "accesskey create s3 zoe-": ["zoe-one"],
        "accesskey list s3 zoe-": ["zoe-one"],
        "accesskey info s3 ZOE": ["ZOEKEY1"],
        "accesskey remove s3 ZOE": ["ZOEKEY1"],
        "user info no-such-alias zo": [],
        "user info s3/bucket zo": [],
        "policy create s3 new pol": [],
    }.items():
        words = [value for kind, value, _ in answered("admin", *line.split()) if kind == "word"]
        assert [word.removeprefix("--user=") for word in words] == meant, line
    assert offered("admin", "policy", "create", "s3", "new", "pol") == ["file,pol"]
    for command in (
        ("accesskey", "remove", "s3", "ZOEKEY1"),
        ("user", "remove", "s3", "zoe-one", "zoe+two"),
        ("group", "remove", "s3", "zoo"),
    ):
        cli("admin", *command)


def test_operands_of_od_are_offered(remote: Any) -> None:
    remote.put("disk.img", b"x")
    assert offered("od", "") == ["word,if=", "word,of=", "word,size=", "word,parts=", "word,skip="]
    assert offered("od", "if=x", "s") == ["word,size=", "word,skip="]
    assert answered("od", "if=s") == [["address", "if=s3/", ""], ["file", "s", "if="]]
    assert offered("od", f"of={remote.address}/d") == [f"address,of={remote.address}/disk.img"]
    assert offered("od", "size=1") == []
