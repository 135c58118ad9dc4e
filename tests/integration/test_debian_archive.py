"""Components from a real, signed archive on a real HTTP server, whole and tampered with."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import lzma
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingot.base.clock import SystemClock
from ingot.base.errors import IntegrityError, NetworkError, NotFoundError
from ingot.base.progress import SILENT
from ingot.debian.archive import Archive
from ingot.debian.component import build_component
from ingot.debian.fetch import Fetcher
from ingot.debian.release import ReleaseError, SignatureError
from ingot.debian.session import ArchiveOptions, Session
from ingot.debian.sources import Source, host_sources, read_settings
from ingot.oci.tree import symlink
from ingot.testing.debs import SigningKey, SmallArchive, apt_configuration

DAY_NS = 24 * 3600 * 10**9


@pytest.fixture(scope="session")
def key() -> Iterator[SigningKey]:
    with SigningKey() as made:
        yield made


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, counts requests, and redirects what is asked for below /moved/."""

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.server.moved + self.path.removeprefix("/moved"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    requests: list[str]
    moved = ""
    daemon_threads = True

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def archive(tmp_path: Path, key: SigningKey) -> SmallArchive:
    made = SmallArchive(tmp_path / "mirror", key)
    made.add("app", "1.0-1", {"bin/app": b"#!/bin/sh\n"}, Depends="lib (>= 2)")
    made.add("lib", "2.1-1", {"lib/x86_64-linux-gnu/libapp.data": b"library"})
    made.publish()
    return made


@pytest.fixture
def server(archive: SmallArchive) -> Iterator[Server]:
    handler = functools.partial(Handler, directory=str(archive.root))
    with Server(("127.0.0.1", 0), handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@dataclasses.dataclass
class LaterClock(SystemClock):
    """The system's clock, some time ahead."""

    ahead_ns: int = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


@pytest.fixture
def component(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "component.yml").write_text("packages: [app]\nconfig: {entrypoint: [/bin/app]}\n")
    return folder


@pytest.fixture
def session(tmp_path: Path, archive: SmallArchive, server: Server) -> Session:
    return session_for(tmp_path, archive, server)


def session_for(tmp_path: Path, archive: SmallArchive, server: Server, **fields) -> Session:
    options = ArchiveOptions(mirror=server.uri, keyring=archive.keyring())
    values = {"lock_path": tmp_path / "ingot.lock", "cache_dir": tmp_path / "cache"} | fields
    return Session(options=options, **values)


def direct(archive: SmallArchive, uri: str, cache_dir: Path, **fields) -> Archive:
    """Return the archive as apt's configuration would give it."""
    source = Source(uri, archive.suite, ("main",), (archive.keyring(),))
    values = {"clock": SystemClock(), "progress": SILENT} | fields
    return Archive((source,), Fetcher(cache_dir), **values)


def test_a_component_is_built_from_the_archive(component: Path, session: Session) -> None:
    image = build_component(component, arch="amd64", session=session)
    assert image.reference == "component:app"
    assert image.config.entrypoint == ("/bin/app",)
    assert image.tree.get("bin") == symlink("bin", "usr/bin")
    program = image.tree.resolve("bin/app")
    assert program is not None
    assert program.content is not None
    assert program.content.read() == b"#!/bin/sh\n"
    assert "usr/lib/x86_64-linux-gnu/libapp.data" in image.tree
    assert [(p.name, p.version) for p in image.packages] == [("app", "1.0-1"), ("lib", "2.1-1")]


def test_a_second_build_needs_no_network_and_is_the_same(
    component: Path, session: Session, server: Server, tmp_path: Path, archive: SmallArchive
) -> None:
    first = build_component(component, arch="amd64", session=session)
    session.save_lock()
    asked = len(server.requests)
    again = session_for(tmp_path, archive, server, offline=True)
    second = build_component(component, arch="amd64", session=again)
    assert len(server.requests) == asked
    assert second.tree.digest() == first.tree.digest()
    assert not again.lock.changed


def test_builds_that_run_at_once_share_a_cold_cache(
    component: Path, server: Server, tmp_path: Path, archive: SmallArchive
) -> None:
    for number in range(5):
        start = threading.Barrier(4)

        def build(start: threading.Barrier = start, cache: Path = tmp_path / f"{number}") -> str:
            session = session_for(tmp_path, archive, server, lock_path=None, cache_dir=cache)
            start.wait(timeout=30)
            return build_component(component, arch="amd64", session=session).tree.digest()

        with ThreadPoolExecutor(4) as pool:
            digests = {future.result() for future in [pool.submit(build) for _ in range(4)]}
        assert len(digests) == 1


def test_another_cache_with_the_same_lock_gives_the_same_tree(
    component: Path, session: Session, server: Server, tmp_path: Path, archive: SmallArchive
) -> None:
    first = build_component(component, arch="amd64", session=session)
    session.save_lock()
    locked = (tmp_path / "ingot.lock").read_bytes()
    # The archive moves on; the pinned file is still there.
    archive.add("lib", "2.2-1", {"lib/x86_64-linux-gnu/libapp.data": b"newer"})
    archive.publish()
    other = session_for(tmp_path, archive, server, cache_dir=tmp_path / "other")
    second = build_component(component, arch="amd64", session=other)
    assert second.tree.digest() == first.tree.digest()
    assert (tmp_path / "ingot.lock").read_bytes() == locked
    unlocked = session_for(
        tmp_path, archive, server, lock_path=None, cache_dir=tmp_path / "unlocked"
    )
    third = build_component(component, arch="amd64", session=unlocked)
    assert third.tree.digest() != first.tree.digest()


def test_a_pin_the_archive_no_longer_has_is_a_clear_error(
    component: Path, session: Session, server: Server, tmp_path: Path, archive: SmallArchive
) -> None:
    build_component(component, arch="amd64", session=session)
    session.save_lock()
    (archive.root / "pool/main/l/lib/lib_2.1-1.deb").unlink()
    other = session_for(tmp_path, archive, server, cache_dir=tmp_path / "other")
    with pytest.raises(NotFoundError, match=r"lib 2\.1-1 is not there any more"):
        build_component(component, arch="amd64", session=other)


def test_offline_without_a_cache_says_what_is_needed(
    component: Path, server: Server, tmp_path: Path, archive: SmallArchive
) -> None:
    session = session_for(tmp_path, archive, server, offline=True)
    with pytest.raises(NetworkError, match="--offline"):
        build_component(component, arch="amd64", session=session)
    assert server.requests == []


def test_a_tampered_index_is_refused(archive: SmallArchive, server: Server, tmp_path: Path) -> None:
    for path in archive.root.rglob("dists/**/*"):
        if path.is_file() and path.name != "InRelease":
            path.write_bytes(lzma.compress(b"Package: evil\n"))
    with pytest.raises(IntegrityError, match="SHA-256"):
        direct(archive, server.uri, tmp_path / "cache").indexes("amd64")


def test_a_tampered_release_is_refused(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    release = archive.root / "dists/bookworm/InRelease"
    release.write_bytes(release.read_bytes().replace(b"Origin: Debian", b"Origin: debian"))
    with pytest.raises(SignatureError, match="does not match"):
        direct(archive, server.uri, tmp_path / "cache").indexes("amd64")


def test_text_around_the_signed_part_is_not_read(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    release = archive.root / "dists/bookworm/InRelease"
    release.write_bytes(b"Origin: Evil\n\n" + release.read_bytes() + b"Origin: Evil\n")
    (index,) = direct(archive, server.uri, tmp_path / "cache").indexes("amd64")
    assert len(index) == 2


def test_an_unsigned_release_is_refused(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    (archive.root / "dists/bookworm/InRelease").write_bytes(b"Origin: Debian\n")
    with pytest.raises(SignatureError, match="no signature"):
        direct(archive, server.uri, tmp_path / "cache").indexes("amd64")


def test_a_signature_by_another_key_is_refused(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    with SigningKey("Somebody Else") as stranger:
        dataclasses.replace(archive, key=stranger).publish()
    with pytest.raises(SignatureError, match="not in the keyring"):
        direct(archive, server.uri, tmp_path / "cache").indexes("amd64")


def test_a_package_with_other_bytes_is_refused(
    component: Path, session: Session, archive: SmallArchive
) -> None:
    deb = archive.root / "pool/main/l/lib/lib_2.1-1.deb"
    deb.write_bytes(deb.read_bytes()[:-1] + b"X")
    with pytest.raises(IntegrityError, match="SHA-256"):
        build_component(component, arch="amd64", session=session)
    assert not list((session.cache_dir / "sha256").rglob("*.tmp"))


def test_valid_until_is_honoured_unless_apt_says_otherwise(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    archive.release["Valid-Until"] = "Thu, 02 Jan 2020 00:00:00 UTC"
    archive.publish()
    with pytest.raises(ReleaseError, match="valid until 2020-01-02"):
        direct(archive, server.uri, tmp_path / "one").indexes("amd64")
    lenient = direct(archive, server.uri, tmp_path / "two", check_valid_until=False)
    assert len(lenient.indexes("amd64")) == 1


def test_a_cached_index_is_fetched_again_when_it_is_old(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    direct(archive, server.uri, tmp_path / "cache").indexes("amd64")
    asked = len(server.requests)
    direct(archive, server.uri, tmp_path / "cache").indexes("amd64")
    assert len(server.requests) == asked
    clock = LaterClock(DAY_NS)
    direct(archive, server.uri, tmp_path / "cache", clock=clock).indexes("amd64")
    # The Packages file is known by its digest and not fetched again.
    assert server.requests[asked:] == ["/dists/bookworm/InRelease"]


def test_the_last_index_serves_while_the_archive_is_away(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    direct(archive, server.uri, tmp_path / "cache").indexes("amd64")
    server.shutdown()
    server.server_close()
    stale = direct(archive, server.uri, tmp_path / "cache", clock=LaterClock(DAY_NS))
    assert len(stale.indexes("amd64")) == 1


def test_the_index_of_another_release_is_refused(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    archive.release |= {"Suite": "testing", "Codename": "trixie"}
    archive.publish()
    with pytest.raises(ReleaseError, match="is the index of trixie"):
        direct(archive, server.uri, tmp_path / "cache").indexes("amd64")


def test_archives_of_others_are_passed_over(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    archive.release["Origin"] = "Somebody"
    archive.publish()
    with pytest.raises(NotFoundError, match="no source has packages for amd64"):
        direct(archive, server.uri, tmp_path / "cache").indexes("amd64")


def test_redirections_of_a_mirror_are_followed(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    (index,) = direct(archive, f"{server.uri}/moved", tmp_path / "cache").indexes("amd64")
    assert len(index) == 2


def test_a_redirection_to_a_local_file_is_not_followed(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    server.moved = f"file://{archive.root}"
    with pytest.raises(NetworkError, match="not followed"):
        direct(archive, f"{server.uri}/moved", tmp_path / "cache").indexes("amd64")


@pytest.mark.parametrize("armour", [False, True])
def test_sources_come_from_apt_with_their_keys(
    archive: SmallArchive, server: Server, tmp_path: Path, armour: bool
) -> None:
    signed_by = str(archive.keyring(armour=armour))
    text = (
        f"Types: deb deb-src\nURIs: {server.uri}\nSuites: bookworm\n"
        f"Components: main\nSigned-By: {signed_by}\n"
    )
    with apt_configuration(tmp_path / "host", text) as dump:
        sources = host_sources(read_settings(lambda: dump), "bookworm")
    read = Archive(tuple(sources), Fetcher(tmp_path / "cache"), SystemClock(), SILENT)
    assert len(read.indexes("amd64")) == 1


def test_a_key_written_into_the_source_is_used(
    archive: SmallArchive, server: Server, tmp_path: Path
) -> None:
    lines = archive.key.public(armour=True).decode().splitlines()
    embedded = "".join(f" {line or '.'}\n" for line in lines)
    text = (
        f"Types: deb\nURIs: {server.uri}\nSuites: bookworm\nComponents: main\n"
        f"Signed-By:\n{embedded}"
    )
    with apt_configuration(tmp_path / "host", text) as dump:
        sources = host_sources(read_settings(lambda: dump), "bookworm")
    read = Archive(tuple(sources), Fetcher(tmp_path / "cache"), SystemClock(), SILENT)
    assert len(read.indexes("amd64")) == 1
