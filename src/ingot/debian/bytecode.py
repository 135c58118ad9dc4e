"""Compiled Python for images: made once by the target's own interpreter, then kept.

Shipped .pyc files save seconds at start (a read-only root cannot write its own). The interpreter
of the target's release does the work, whatever Python runs this builder, so that every host
makes the same bytes; it is unpacked from its package and started by its own dynamic linker.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingot.base.errors import Error
from ingot.debian import compile_bytecode
from ingot.debian.assemble import assemble
from ingot.debian.fetch import thread_count
from ingot.debian.machine import Machine, host_machine
from ingot.debian.session import Session
from ingot.oci.packed import Row, cached_entries, is_cached
from ingot.oci.tree import Content, Entry, Tree

# Counts up when `compile_bytecode` writes other bytes.
_SCHEMA = 2
_COMPILE_TIMEOUT_S = 1800
_FOLDER_PREFIX = "usr/lib/python3"


class BytecodeError(Error):
    """The target's interpreter cannot be run to compile."""

    slug = "bytecode"


@dataclass(frozen=True, slots=True)
class _Group:
    """The sources of one folder: the unit of caching."""

    key: str
    sources: tuple[Entry, ...]


def add_bytecode(tree: Tree, python: str, release: str, session: Session) -> None:
    """Add a .pyc beside every Python module of the image.

    Args:
        tree: the image; sources below `usr/lib/python3*` are compiled.
        python: the interpreter's version, such as `3.11`.
        release: the full version of its package; another one compiles anew.
        session: caches, and the archive the interpreter comes from.

    Raises:
        BytecodeError: the interpreter fails.
    """
    groups = list(_groups(tree, f"{_SCHEMA} {python} {release}"))
    missing = [group for group in groups if not is_cached(session.cache_dir, group.key)]
    if missing:
        _compile_all(missing, python, session)
    for group in groups:
        for entry in cached_entries(session.cache_dir, group.key, _never):
            tree.add(entry)


def _groups(tree: Tree, salt: str) -> Iterator[_Group]:
    folders: dict[str, list[Entry]] = {}
    for entry in tree:
        if (
            entry.kind == "file"
            and entry.path.endswith(".py")
            and entry.path.startswith(_FOLDER_PREFIX)
        ):
            folders.setdefault(entry.path.rpartition("/")[0], []).append(entry)
    for sources in folders.values():
        digest = hashlib.sha256(salt.encode())
        for source in sources:
            assert source.content is not None
            digest.update(f"\n{source.path} {source.content.sha256()}".encode())
        yield _Group(digest.hexdigest(), tuple(sources))


def _compile_all(groups: Sequence[_Group], python: str, session: Session) -> None:
    root = _interpreter(python, session)
    total = sum(len(group.sources) for group in groups)
    with (
        session.progress.task("compiling Python", total=total, unit="modules") as task,
        ThreadPoolExecutor(thread_count()) as pool,
    ):
        # One run of the interpreter takes many groups: its start costs more than most groups.
        batches = _batches(groups, thread_count())
        for done in pool.map(lambda batch: _compile(batch, python, root, session), batches):
            task.advance(done)


def _batches(groups: Sequence[_Group], count: int) -> list[list[_Group]]:
    batches: list[list[_Group]] = [[] for _ in range(count)]
    for group in sorted(groups, key=_weight, reverse=True):
        min(batches, key=lambda batch: sum(map(_weight, batch))).append(group)
    return [batch for batch in batches if batch]


def _weight(group: _Group) -> int:
    return sum(source.content.size_bytes for source in group.sources if source.content)


def _compile(groups: Sequence[_Group], python: str, root: Path, session: Session) -> int:
    sources = [source for group in groups for source in group.sources]
    with tempfile.TemporaryDirectory(prefix="ingot-compile-") as folder:
        jobs = [
            (source.path, *_location(source.content, Path(folder, str(index))))
            for index, source in enumerate(sources)
        ]
        output = _run(root, python, "".join(f"{field}\0" for job in jobs for field in job))
    cursor = 0
    for group in groups:
        compiled: list[tuple[str, bytes]] = []
        for source in group.sources:
            size_bytes = int.from_bytes(output[cursor : cursor + 4], "little")
            cursor += 4
            compiled.append((source.path, output[cursor : cursor + size_bytes]))
            cursor += size_bytes
        cached_entries(session.cache_dir, group.key, _Writer(compiled, python))
    if cursor != len(output):
        raise BytecodeError(f"Python {python} answered with {len(output)} bytes, not {cursor}")
    return len(sources)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes compiled modules into the cache."""

    compiled: Sequence[tuple[str, bytes]]
    python: str

    def __call__(self, bodies: BinaryIO) -> list[Row]:
        tag = f"cpython-{self.python.replace('.', '')}"
        rows: list[Row] = []
        offset = 0
        for source, data in self.compiled:
            if not data:
                continue
            folder, _, name = source.rpartition("/")
            path = f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
            digest = hashlib.sha256(data).hexdigest()
            bodies.write(data)
            rows.append(
                Row(path, "file", 0o644, size_bytes=len(data), offset=offset, digest=digest)
            )
            offset += len(data)
        return rows


def _never(bodies: BinaryIO) -> list[Row]:
    raise BytecodeError("the cache lost compiled modules while they were in use")


def _location(content: Content | None, spare: Path) -> tuple[str, int, int]:
    """Return where a source's bytes lie; bytes held in memory are put into `spare`."""
    assert content is not None
    if content.data is not None:
        spare.write_bytes(content.data)
        return str(spare), 0, content.size_bytes
    assert content.path is not None
    return content.path, content.offset, content.size_bytes


def _run(root: Path, python: str, jobs: str) -> bytes:
    machine = host_machine()
    libraries = root / "usr/lib" / machine.triplet
    command = [str(libraries / machine.linker), "--library-path", str(libraries)]
    command += [str(root / f"usr/bin/python{python}"), "-I", "-S", "-B"]
    done = subprocess.run(
        [*command, compile_bytecode.__file__],
        input=jobs.encode(),
        capture_output=True,
        check=False,
        timeout=_COMPILE_TIMEOUT_S,
        env={"LC_ALL": "C.UTF-8"},
    )
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise BytecodeError(f"Python {python} of the target cannot compile: {reason}")
    return done.stdout


def _interpreter(python: str, session: Session) -> Path:
    """Return a folder with the interpreter and what it needs, for the machine we run on."""
    machine = host_machine()
    name = f"python{python}-minimal"
    packages = session.resolve(f"tool:{name}", machine.architecture, [name])
    digest = hashlib.sha256(" ".join(package.sha256 for package in packages).encode()).hexdigest()
    root = session.cache_dir / "tools" / f"{name}-{digest[:16]}"
    if not root.exists():
        _extract(assemble(session.unpacked(packages)), machine, root)
    return root


def _extract(tree: Tree, machine: Machine, root: Path) -> None:
    """Write a tree's files below `root`, which appears when it is whole."""
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        for entry in tree:
            path = temporary / entry.path
            if entry.kind == "directory":
                path.mkdir(exist_ok=True)
            elif entry.kind == "symlink":
                path.symlink_to(_relative(entry))
            elif entry.content is not None:
                path.write_bytes(entry.content.read())
                path.chmod(0o755 if entry.mode & 0o111 else 0o644)
        os.rename(temporary, root)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        # Another build may have been faster.
        if not root.exists():
            raise


def _relative(entry: Entry) -> str:
    """Return a link's target so that it stays below the folder it is extracted to."""
    target = entry.link or ""
    if not target.startswith("/"):
        return target
    return os.path.relpath(target, f"/{entry.path.rpartition('/')[0]}")
