"""Where appliance files come from: paths, standard input, addresses with digests."""

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ingot.appliance.inputs import (
    SOURCE_BYTES_MAX,
    inputs_folder,
    read_file,
    read_inputs,
)
from ingot.appliance.spec import parse_appliance
from ingot.base.document import DocumentError
from ingot.base.errors import IntegrityError, NetworkError, NotFoundError, UsageError
from ingot.debian.session import Session

BODY = b"init: [example/init]\n"
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """Serve one appliance file on loopback; yields its address and the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/dir/my-app.yml", asked
        running.shutdown()
        thread.join()


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(cache_dir=tmp_path / "cache")


def test_an_address_is_fetched_once_and_known_by_its_digest(
    server: tuple[str, list[str]], session: Session
) -> None:
    url, asked = server
    inputs = read_inputs([f"{url}#sha256={DIGEST}"], session)
    assert inputs.name == "my-app"
    assert parse_appliance(inputs.documents, name="x").init == ("example/init",)
    session.offline = True
    assert read_inputs([f"{url}#sha256={DIGEST.upper()}"], session) == inputs
    assert asked == ["/dir/my-app.yml"]


def test_an_address_without_digest_is_refused(session: Session) -> None:
    for fragment in ("", "#sha256=12", "#md5=0"):
        with pytest.raises(UsageError, match="has no digest"):
            read_inputs([f"http://127.0.0.1:1/x.yml{fragment}"], session)


def test_other_bytes_than_the_digest_names_are_refused(
    server: tuple[str, list[str]], session: Session
) -> None:
    with pytest.raises(IntegrityError, match=f"has the SHA-256 {DIGEST}, not 0000"):
        read_inputs([f"{server[0]}#sha256={'0' * 64}"], session)


def test_offline_no_address_is_asked(server: tuple[str, list[str]], session: Session) -> None:
    session.offline = True
    with pytest.raises(NetworkError, match="--offline"):
        read_inputs([f"{server[0]}#sha256={DIGEST}"], session)
    assert server[1] == []


def test_a_dash_is_standard_input(session: Session, tmp_path: Path) -> None:
    inputs = read_inputs(["-"], session, io.BytesIO(BODY))
    assert (inputs.name, inputs.folder) == ("appliance", Path())
    assert [document.file for document in inputs.documents] == ["<stdin>"]
    path = tmp_path / "more.yml"
    path.write_text("files: []")
    assert inputs_folder(["-", str(path), "https://x/y"]) == tmp_path


def test_packages_are_found_beside_the_file_that_names_them(
    session: Session, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "web"
    folder.mkdir(parents=True)
    (folder / "component.yml").write_text("packages: []\n")
    (tmp_path / "a" / "x.yml").write_text("init: ['@pkg:./web']\n")
    inputs = read_inputs([str(tmp_path / "a" / "x.yml")], session)
    (first,) = parse_appliance(inputs.documents, name="x").init
    assert first.startswith("localhost/web:")
    (folder / "extra").write_text("more")
    assert parse_appliance(inputs.documents, name="x").init != (first,)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        read_file(tmp_path / "no.yml")


def test_a_folder_is_no_appliance_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_file(tmp_path)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "huge.yml"
    path.write_bytes(b"#" * (SOURCE_BYTES_MAX + 1))
    with pytest.raises(DocumentError, match="is larger than"):
        read_file(path)


def test_the_file_s_stem_is_the_appliance_s_name(tmp_path: Path) -> None:
    path = tmp_path / "my-store.yml"
    path.write_text("init: []\n")
    assert read_file(path).name == "my-store"
