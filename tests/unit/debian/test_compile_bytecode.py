"""Compiled modules are unchecked-hash .pyc files, the same whatever else the process did."""

import importlib.util
import marshal
import subprocess
import sys

from ingot.debian import compile_bytecode

SOURCE = b'''"""Docs."""
import sys
from typing import NamedTuple

class Thing(NamedTuple):
    name: str
    size: int = 3

def f(a, *, b=("x", 1.5, frozenset({"name"})), **kw):
    sys.named_once
    g = lambda q: (q, a, b"x", "name", None, 10**3)
    return [g(i) for i in sys.argv if i in {"size", "name"}]
'''


def run(prelude: str, jobs: str) -> bytes:
    start = f"runpy.run_path({compile_bytecode.__file__!r}, run_name='__main__')"
    program = f"{prelude}\nimport runpy\n{start}"
    command = [sys.executable, "-I", "-c", program]
    return subprocess.run(command, input=jobs.encode(), capture_output=True, check=True).stdout


def test_the_format_is_pep_552s_with_an_unchecked_hash() -> None:
    pyc = compile_bytecode.compiled("/usr/lib/python3/x.py", SOURCE)
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(pyc[4:8], "little") == 0b01
    assert pyc[8:16] == importlib.util.source_hash(SOURCE)
    assert marshal.loads(pyc[16:]).co_filename == "/usr/lib/python3/x.py"


def test_what_does_not_compile_is_empty() -> None:
    assert compile_bytecode.compiled("/x.py", b"def (") == b""
    assert compile_bytecode.compiled("/x.py", b"\0") == b""


def test_bytes_do_not_depend_on_what_the_process_did_before(tmp_path) -> None:
    source = tmp_path / "x.py"
    source.write_bytes(SOURCE)
    jobs = f"usr/lib/x.py\0{source}\0{0}\0{len(SOURCE)}\0"
    names = "['named_once', 'Thing', 'size', 'name', 'a', 'b', 'q', 'kw']"
    busy = f"import json, typing, argparse\nkept = {names}"
    plain = run("", jobs)
    assert plain == run(busy, jobs)
    assert int.from_bytes(plain[:4], "little") == len(plain) - 4


def test_many_modules_and_ranges_of_files(tmp_path) -> None:
    bodies = tmp_path / "bodies"
    bodies.write_bytes(b"x = 1\n" + b"def (\n" + b"y = 2\n")
    jobs = "".join(f"m{at}.py\0{bodies}\0{at}\0{6}\0" for at in (0, 6, 12))
    output = run("", jobs)
    sizes = []
    while output:
        size = int.from_bytes(output[:4], "little")
        sizes.append(size)
        output = output[4 + size :]
    assert [bool(size) for size in sizes] == [True, False, True]
