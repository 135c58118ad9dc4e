"""Outputs do not depend on who builds them, and take memory by the plan's size, not its files'."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingot.appliance.build import BuildOptions, write_outputs
from ingot.appliance.outputs import find_output, find_outputs
from ingot.appliance.plan import Plan
from ingot.debian.session import Session
from ingot.oci.tree import Content, Entry
from ingot.testing.loaders import make_loaders

MakePlan = Callable[[str], Plan]
HELLO = (
    "kernel: {image: component:kernel}\ninit: [component:init]\n"
    "services: [{name: web, image: component:app}]\n"
)
NOBODY = 65_534
FILE_BYTES = 256 << 20
# Python with the builder takes 45 MB, mksquashfs up to 110.
PEAK_BYTES_MAX = 190 << 20


def write(plan: Plan, folder: Path, output: str) -> dict[str, bytes]:
    options = BuildOptions(arch="amd64", folder=folder, formats=(output,))
    write_outputs(plan, [find_output(output)], options, Session(), make_loaders())
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may write to, and that is gone after the test."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@pytest.mark.parametrize("output", sorted(find_outputs()))
def test_a_format_is_the_same_from_another_user(
    make: MakePlan, tmp_path: Path, open_folder: Path, output: str
) -> None:
    """Where the tests may not become another user, the other one differs by its umask alone."""
    plan = make(HELLO)
    before = write(plan, tmp_path, output)
    child = os.fork()
    if not child:
        code = 1
        try:
            os.umask(0o007)
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            code = write(plan, open_folder / "out", output) != before
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# What the system says of a process after its end includes the one that started it.
SCRIPT = """\
import pickle, re, resource, sys
from pathlib import Path
from ingot.appliance.build import BuildOptions, write_outputs
from ingot.appliance.outputs import find_output
from ingot.debian.session import Session
from ingot.testing.loaders import make_loaders

plan = pickle.load(sys.stdin.buffer)
options = BuildOptions(arch="amd64", folder=Path(sys.argv[1]), formats=(sys.argv[2],))
write_outputs(plan, [find_output(sys.argv[2])], options, Session(), make_loaders())
own = int(re.search("VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


@pytest.mark.parametrize(
    "output",
    [
        pytest.param(name, marks=() if name in {"ova", "raw-erofs", "tar"} else pytest.mark.slow)
        for name in sorted(find_outputs())
    ],
)
def test_memory_does_not_follow_the_size_of_files(
    make: MakePlan, open_folder: Path, output: str
) -> None:
    blob = open_folder / "blob"
    chunk = os.urandom(1 << 20)
    with blob.open("wb") as file:
        for _ in range(FILE_BYTES // len(chunk)):
            file.write(chunk)
    plan = make(HELLO)
    content = Content(FILE_BYTES, path=str(blob))
    plan.root.add(Entry("var/blob", "file", 0o644, content=content))
    plan = replace(plan, kernel=Content.of(b"kernel"))
    command = [sys.executable, "-c", SCRIPT, str(open_folder / "out"), output]
    done = subprocess.run(command, input=pickle.dumps(plan), stdout=subprocess.PIPE, check=True)
    # Of the largest process: the builder, or a tool that it waited for.
    assert int(done.stdout) * 1024 < PEAK_BYTES_MAX
    written = sum(path.stat().st_size for path in (open_folder / "out").iterdir())
    assert written > FILE_BYTES
