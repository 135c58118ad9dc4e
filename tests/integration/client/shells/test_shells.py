"""Completion in real interactive shells: a line typed with Tab gives the words that were meant."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

every_shell = pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])

# By what of the key is typed, as all three shells read it.
KEYS = {
    "pl": "plain.txt",
    r"a\ b": "a b  c.txt",
    "w": "with:colons:.txt",
    "typed:": "typed:colon.txt",
    "q": "q$HOME`id`.txt",
    "it": 'it\'s "said".txt',
    "g": "grüße-日本語 \U0001f600.txt",
    "st": "star*?[x].txt",
    "ba": "back\\slash.txt",
    "se": "semi;&|<>(x).txt",
    "br": "brace{a,b}~!#%41.txt",
    "comma,": "comma,and@home=x.txt",
    "equal=": "equal=typed.txt",
    r"\#": "#hash.txt",
    r"\~": "~tilde.txt",
}


def fill(remote: Any) -> None:
    remote.put_all(
        dict.fromkeys([*KEYS.values(), "nested/deep er/leaf.txt", "nested/deep er/leg.txt"], b"")
    )


@every_shell
def test_verbs_options_and_their_values(kind: str, shell_of: Any) -> None:
    shell = shell_of(kind)
    for keys, meant in {
        "ingot mirr\t--wat\tX": ["mirror", "--watch", "X"],
        "ingot ilm ru\tedi\tX": ["ilm", "rule", "edit", "X"],
        "ingot --js\tpin\tX": ["--json", "ping", "X"],
        "ingot build --format raw-er\tX": ["build", "--format", "raw-erofs", "X"],
        "ingot build --format=raw-er\tX": ["build", "--format=raw-erofs", "X"],
        "ingot build --format tar,raw-er\tX": ["build", "--format", "tar,raw-erofs", "X"],
        "ingot cp --checksum CRC64\tX": ["cp", "--checksum", "CRC64NVME", "X"],
        "ingot cp --checksum crc64\tX": ["cp", "--checksum", "crc64nvme", "X"],
        "ingot retention set gov\tX": ["retention", "set", "governance", "X"],
        "ingot watch --events put,del\tX": ["watch", "--events", "put,delete", "X"],
        "ingot watch --events s3:ObjectRemoved:DeleteM\tX": [
            *("watch", "--events", "s3:ObjectRemoved:DeleteMarkerCreated", "X"),
        ],
        "ingot no-such-verb no-such\tX": ["no-such-verb", "no-suchX"],
    }.items():
        assert meant == shell.words(keys), keys
    assert shell.errors == ""


@every_shell
def test_addresses_are_completed_segment_by_segment(kind: str, shell_of: Any, remote: Any) -> None:
    fill(remote)
    shell = shell_of(kind)
    # No blank after a slash, else the next letters would be another word.
    keys = f"ingot cat s\t{remote.bucket[:-1]}\tne\td\tleaf\tX"
    assert ["cat", f"{remote.address}/nested/deep er/leaf.txt", "X"] == shell.words(keys)
    # What two keys begin with is written, and no blank.
    keys = f"ingot cat {remote.address}/nested/deep\\ er/l\tg\tX"
    assert ["cat", f"{remote.address}/nested/deep er/leg.txt", "X"] == shell.words(keys)
    assert shell.words("ingot ping s\tX") == ["ping", "s3", "X"]
    assert shell.errors == ""


@every_shell
def test_keys_come_out_as_they_are(kind: str, shell_of: Any, remote: Any) -> None:
    fill(remote)
    shell = shell_of(kind)
    for typed, key in KEYS.items():
        meant = ["cat", f"{remote.address}/{key}", "X"]
        assert meant == shell.words(f"ingot cat {remote.address}/{typed}\tX"), key
    assert shell.errors == ""


@every_shell
@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_word_may_be_begun_with_a_quotation_mark(
    kind: str, quote: str, shell_of: Any, remote: Any
) -> None:
    fill(remote)
    shell = shell_of(kind)
    for typed, key in {"a b": "a b  c.txt", "q": KEYS["q"], "it": KEYS["it"]}.items():
        keys = f"ingot cat {quote}{remote.address}/{typed}\tX"
        assert ["cat", f"{remote.address}/{key}", "X"] == shell.words(keys), key
    keys = f"ingot cat {quote}{remote.address}/ne\td\tleaf\tX"
    assert ["cat", f"{remote.address}/nested/deep er/leaf.txt", "X"] == shell.words(keys)
    assert shell.errors == ""


@every_shell
def test_local_paths_are_completed_where_they_may_stand(
    kind: str, shell_of: Any, home: Path
) -> None:
    Path("local folder/inner").mkdir(parents=True)
    Path("local folder/file 1.txt").touch()
    Path("spec$x.yml").touch()
    (home / "at-home.txt").touch()
    shell = shell_of(kind)
    for keys, meant in {
        "ingot cp lo\tfi\tX": ["cp", "local folder/file 1.txt", "X"],
        "ingot cp ./lo\tfi\tX": ["cp", "./local folder/file 1.txt", "X"],
        "ingot put ~/at\tX": ["put", f"{home}/at-home.txt", "X"],
        "ingot server lo\tin\tX": ["server", "local folder/inner/X"],
        "ingot server sc\tX": ["server", "scrub", "X"],
        "ingot build sp\tX": ["build", "spec$x.yml", "X"],
        "ingot build --dir lo\tin\tX": ["build", "--dir", "local folder/inner/X"],
        "ingot build --dir=lo\tin\tX": ["build", "--dir=local folder/inner/X"],
    }.items():
        assert meant == shell.words(keys), keys
    # There are an alias and a file.
    shell.offers("ingot cp s", "s3/", "spec")
    assert shell.errors == ""


@pytest.mark.parametrize("kind", ["bash", "zsh"])
def test_the_last_segments_are_listed(kind: str, shell_of: Any, remote: Any) -> None:
    fill(remote)
    shown = shell_of(kind).offers(f"ingot cat {remote.address}/", "nested/", "plain.txt")
    assert f"{remote.address}/nested" not in shown


@every_shell
def test_a_service_that_is_not_there_is_not_mentioned(
    kind: str, shell_of: Any, silent_port: int, unused_port: int
) -> None:
    shell = shell_of(
        kind,
        INGOT_COMPLETION_TIMEOUT="2s",
        MC_HOST_gone=f"http://a:b@127.0.0.1:{unused_port}",
        MC_HOST_silent=f"http://a:b@127.0.0.1:{silent_port}",
    )
    for address in ("gone/", "gone/bucket/", "silent/bucket/k"):
        before = len(shell.screen)
        assert ["ls", f"{address}X"] == shell.words(f"ingot ls {address}\tX")
        shown = shell.screen[before:].lower()
        assert not any(word in shown for word in ("error", "refused", "traceback", "ingot:"))
    assert shell.errors == ""


def test_fish_lists_with_descriptions(shell_of: Any, remote: Any) -> None:
    fill(remote)
    shell = shell_of("fish")

    def listed(line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "-c", "complete -C $argv[1]", "--", line],
            env=shell.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert "mb\tMake a bucket." in listed("ingot m")
    assert [line[:8] for line in listed("ingot mirror --wat")] == ["--watch\t"]
    address = f"{remote.address}/nested/deep er"
    assert [f"{address}/leaf.txt", f"{address}/leg.txt"] == listed(f"ingot cat '{address}/")


def test_bash_knows_redirections_paths_and_aliases_of_its_own(
    shell_of: Any, remote: Any, home: Path
) -> None:
    remote.put_all({"key": b""})
    shell = shell_of(
        "bash",
        f"alias store=ingot\ncomplete -o nosort -F _ingot store\nln -s $(type -P ingot) {home}\n",
    )
    Path("output.txt").touch()
    address = remote.address
    assert ["cat", f"{address}/key"] == shell.words(f"ingot cat {address}/k\t> out\t")
    assert ["cat", f"{address}/key", "X"] == shell.words(f"store cat {address}/k\tX")
    assert ["cat", f"{address}/key", "X"] == shell.words(f"~/ingot cat {address}/k\tX")
    assert ["cat", f"{address}/key", "Y"] == shell.words(
        f"echo; A=1 ingot cat {address}/k Y\x1b[D\x1b[D\t"
    )


@every_shell
def test_operands_and_names_of_users(kind: str, shell_of: Any, remote: Any, cli: Any) -> None:
    remote.put("a disk.img", b"")
    Path("local folder").mkdir()
    Path("local folder/file").touch()
    for name in ("zoe@two+three", "zara"):
        done = cli("admin", "user", "add", "s3", name, "a-secret-key")
        assert done.code == 0, done.err
    shell = shell_of(kind)
    for keys, meant in {
        f"ingot od i\t{remote.address}/a\to\tlo\tfi\tX": [
            *("od", f"if={remote.address}/a disk.img", "of=local folder/file", "X"),
        ],
        "ingot od of=s\tX": ["od", "of=s3/X"],
        "ingot admin user inf\ts3 zoe\tX": ["admin", "user", "info", "s3", "zoe@two+three", "X"],
        "ingot admin policy attach s3 readonly --user za\tX": [
            *("admin", "policy", "attach", "s3", "readonly", "--user", "zara", "X"),
        ],
        "ingot admin policy attach s3 readonly --user=za\tX": [
            *("admin", "policy", "attach", "s3", "readonly", "--user=zara", "X"),
        ],
    }.items():
        assert meant == shell.words(keys), keys
    assert shell.errors == ""
    cli("admin", "user", "remove", "s3", "zoe@two+three", "zara")
