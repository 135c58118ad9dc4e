"""Images from a real registry process: by name and digest, with logins, by TLS, from mirrors."""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from ingot.base.errors import (
    ConflictError,
    DeniedError,
    IntegrityError,
    NetworkError,
    NotFoundError,
    UsageError,
)
from ingot.base.progress import SILENT
from ingot.oci.channel import Channel
from ingot.oci.digest import digest_of, hex_of
from ingot.oci.endpoints import RegistryOptions
from ingot.oci.manifest import Descriptor, platform_for
from ingot.oci.push import push as push_image
from ingot.oci.reference import parse_reference
from ingot.oci.sources import ImageSources
from ingot.oci.store import ImageStore
from ingot.oci.transfer import import_images
from ingot.testing.images import SmallImage, push, write_layout
from ingot.testing.registries import BASIC, USER, RunningRegistry, registry, write_login

AMD64 = platform_for("amd64")


def sources_in(folder: Path, **options: Any) -> ImageSources:
    values = {"environment": {}} | options
    return ImageSources(cache_dir=folder / "cache", options=RegistryOptions(**values))


@pytest.fixture
def sources(tmp_path: Path) -> ImageSources:
    return sources_in(tmp_path)


def name_text(image: Any) -> bytes:
    entry = image.tree.get("etc/name")
    assert entry is not None
    return entry.content.read()


def fresh() -> str:
    return f"app-{secrets.token_hex(4)}:1"


def test_an_image_by_tag_then_offline(shared, image: SmallImage, sources: ImageSources) -> None:
    name = fresh()
    digest = push(shared.url, name, [image], {})
    found = sources.get(f"{shared.name}/{name}", AMD64)
    pin = found.digest
    assert name_text(found) == b"top"
    assert found.config.cmd == ("/bin/app",)
    assert pin == digest
    sources.offline = True
    again = sources.get(f"{shared.name}/{name}", AMD64)
    assert again.tree.digest() == found.tree.digest()


def test_offline_never_asks(shared: RunningRegistry, sources: ImageSources) -> None:
    sources.offline = True
    with pytest.raises(NetworkError, match="--offline"):
        sources.get(f"{shared.name}/{fresh()}", AMD64)


def test_an_index_brings_one_platform(shared, image, arm, sources: ImageSources) -> None:
    name = fresh()
    digest = push(shared.url, name, [arm, image], {})
    reference = f"{shared.name}/{name}"
    found = sources.get(reference, AMD64)
    pin = found.digest
    assert (name_text(found), pin) == (b"top", digest)
    store = ImageStore(sources.cache_dir)
    assert not store.has(digest_of(arm.config()))
    # Another platform of the same pin is fetched when it is asked for.
    other = sources.get(reference, platform_for("arm64"), pin)
    assert name_text(other) == b"arm"
    with pytest.raises(NotFoundError, match="no image for linux/s390x"):
        sources.get(reference, platform_for("s390x"), pin)


def test_the_cache_comes_first_and_a_pin_decides(shared, image, arm, sources) -> None:
    name = fresh()
    reference = f"{shared.name}/{name}"
    first = push(shared.url, name, [image], {})
    assert sources.get(reference, AMD64).digest == first
    changed = SmallImage([image.layers[0]])
    second = push(shared.url, name, [changed], {})
    assert sources.get(reference, AMD64).digest == first
    sources.refresh(reference, AMD64)
    assert sources.get(reference, AMD64).digest == second
    # The pin still means the first, which the registry has by digest.
    assert sources.get(reference, AMD64, first).digest == first
    with pytest.raises(ConflictError):
        sources.get(f"{reference}@{second}", AMD64, first)


def test_a_pinned_image_that_is_gone(shared: RunningRegistry, sources: ImageSources) -> None:
    with pytest.raises(NotFoundError):
        sources.get(f"{shared.name}/{fresh()}", AMD64, "sha256:" + "0" * 64)


def test_basic_logins(image: SmallImage, login_registry, tmp_path: Path) -> None:
    running, environment = login_registry
    push(running.url, "app:1", [image], {"authorization": BASIC})
    reference = f"{running.name}/app:1"
    with pytest.raises(DeniedError) as caught:
        sources_in(tmp_path).get(reference, AMD64)
    assert caught.value.hint == f"docker login {running.name}"
    wrong = write_login(tmp_path, running, "wrong")
    with pytest.raises(DeniedError):
        sources_in(tmp_path, environment=wrong).get(reference, AMD64)
    found = sources_in(tmp_path, environment=environment).get(reference, AMD64)
    assert name_text(found) == b"top"


class TokenHandler(http.server.BaseHTTPRequestHandler):
    """Gives signed tokens to who knows the password (Docker's "Token Authentication")."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        scope = query["scope"][0]
        self.server.scopes.append(scope)
        if self.headers.get("authorization") != BASIC:
            self.reply(401, {})
            return
        kind, repository, actions = scope.split(":")
        access = [{"type": kind, "name": repository, "actions": actions.split(",")}]
        now_s = int(time.time())
        claims = {"iss": "test", "aud": query["service"][0], "sub": USER, "access": access}
        claims |= {"exp": now_s + 60, "nbf": now_s - 60, "iat": now_s, "jti": secrets.token_hex(8)}
        self.reply(200, {"token": self.server.sign(claims)})

    def reply(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


class TokenServer(http.server.ThreadingHTTPServer):
    scopes: list[str]
    certificate: Path
    key: Path
    daemon_threads = True

    def sign(self, claims: dict[str, Any]) -> str:
        lines = self.certificate.read_text().split("\n")
        x5c = "".join(line for line in lines if line and not line.startswith("-"))
        header = {"typ": "JWT", "alg": "RS256", "x5c": [x5c]}
        parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.key)]
        text = ".".join(parts).encode()
        signature = subprocess.run(command, input=text, check=True, capture_output=True).stdout
        return ".".join([*parts, encoded(signature)])


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def tokens(certificate: tuple[Path, Path]) -> Iterator[TokenServer]:
    with TokenServer(("127.0.0.1", 0), TokenHandler) as running:
        running.scopes = []
        running.certificate, running.key = certificate
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_tokens(image: SmallImage, tokens: TokenServer, tmp_path: Path) -> None:
    auth = {
        "token": {
            "realm": f"http://127.0.0.1:{tokens.server_port}/token",
            "service": "test-registry",
            "issuer": "test",
            "rootcertbundle": str(tokens.certificate),
        }
    }
    with registry(tmp_path / "registry", auth=auth) as running:
        url = f"{auth['token']['realm']}?service=test-registry&scope=repository:a/app:pull,push"
        headers = {"authorization": BASIC}
        answer = urllib3.request("GET", url, headers=headers).json()
        push(running.url, "a/app:1", [image], {"authorization": f"Bearer {answer['token']}"})
        tokens.scopes.clear()
        reference = f"{running.name}/a/app:1"
        with pytest.raises(DeniedError):
            sources_in(tmp_path).get(reference, AMD64)
        environment = write_login(tmp_path, running)
        found = sources_in(tmp_path, environment=environment).get(reference, AMD64)
        assert name_text(found) == b"top"
        # One refused without a login, then one token for manifest and blobs together.
        assert tokens.scopes == ["repository:a/app:pull"] * 2


def test_certificates_are_checked(image: SmallImage, certificate, tmp_path: Path) -> None:
    with registry(tmp_path / "registry", tls=certificate) as running:
        with urllib3.PoolManager(ca_certs=str(certificate[0])) as pool:
            assert pool.request("GET", f"{running.url}/v2/").status == 200
        reference = f"{running.name}/app:1"
        with pytest.raises(NetworkError, match="cannot be trusted"):
            sources_in(tmp_path).get(reference, AMD64)
        with pytest.raises(NotFoundError):
            sources_in(tmp_path, ca_file=certificate[0]).get(reference, AMD64)
        with pytest.raises(NotFoundError):
            sources_in(tmp_path, insecure=frozenset({running.name})).get(reference, AMD64)


def test_certificates_of_single_registries(certificate, tmp_path: Path, image) -> None:
    """As Docker and Podman keep them: whom to trust, and who we are where a registry asks."""
    folder = tmp_path / "own"
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=client"]
    command += ["-newkey", "rsa:2048", "-keyout", str(folder / "client.key")]
    subprocess.run([*command, "-out", str(folder / "client.cert")], check=True, capture_output=True)
    store = ImageStore(tmp_path / "store")
    import_images(write_layout(tmp_path / "layout", {"x.example/a:1": [image]}), None, store)
    started = registry(tmp_path / "registry", tls=certificate, client_ca=folder / "client.cert")
    with started as running:
        environment = {"HOME": str(tmp_path / "home")}
        kept = tmp_path / "home/.config/containers/certs.d" / running.name
        kept.mkdir(parents=True)
        (kept / "ca.crt").write_bytes(certificate[0].read_bytes())
        options = RegistryOptions(environment=environment)
        place = parse_reference(f"{running.name}/team/app:1")

        def send() -> Descriptor:
            with Channel(options) as channel:
                return push_image(
                    "x.example/a:1", place, channel=channel, store=store, progress=SILENT
                )

        with pytest.raises(NetworkError):
            send()
        (kept / "client.cert").write_bytes((folder / "client.cert").read_bytes())
        with pytest.raises(UsageError, match="has no key"):
            send()
        (kept / "client.key").write_bytes((folder / "client.key").read_bytes())
        root = send()
        found = sources_in(tmp_path, environment=environment).get(str(place), AMD64)
        assert found.digest == root.digest
        assert name_text(found) == b"top"


class MirrorHandler(http.server.BaseHTTPRequestHandler):
    """Hands on what a registry says, and spoils it as the test wants."""

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("range", "")
        server.log.append((self.path, wanted))
        if server.busy:
            # Two kinds of a busy server, in turn; the answer's body is none of an image.
            server.busy -= 1
            self.send_response(503 if server.busy % 2 else 429)
            self.send_header("retry-after", "0")
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"busy")
            return
        if server.no_ranges:
            wanted = ""
        headers = {"accept": self.headers.get("accept", "*/*")} | (
            {"range": wanted} if wanted else {}
        )
        answer = urllib3.request("GET", f"{server.behind}{self.path}", headers=headers)
        data = bytearray(answer.data)
        if server.flip and "/blobs/" in self.path and len(data) > 1000:
            data[500] ^= 1
        self.send_response(answer.status)
        for name in ("content-type", "content-range"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if server.cuts and "/blobs/" in self.path and len(data) > 100_000:
            server.cuts -= 1
            self.wfile.write(data[:100_000])
            self.close_connection = True
            return
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


class Mirror(http.server.ThreadingHTTPServer):
    log: list[tuple[str, str]]
    behind: str
    cuts = 0
    busy = 0
    no_ranges = False
    flip = False
    daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def mirror(shared: RunningRegistry) -> Iterator[Mirror]:
    with Mirror(("127.0.0.1", 0), MirrorHandler) as running:
        running.log = []
        running.behind = shared.url
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_mirror_serves_instead(shared, mirror: Mirror, image, tmp_path: Path) -> None:
    name = fresh()
    push(shared.url, name, [image], {})
    sources = sources_in(tmp_path, mirrors=(("registry.invalid", mirror.url),))
    found = sources.get(f"registry.invalid/{name}", AMD64)
    assert name_text(found) == b"top"


def test_a_mirror_without_the_image_is_passed_over(shared, mirror, image, tmp_path: Path) -> None:
    name = fresh()
    push(shared.url, name, [image], {})
    mirror.behind = f"{shared.url}/nowhere"
    sources = sources_in(tmp_path, mirrors=((shared.name, mirror.url),))
    found = sources.get(f"{shared.name}/{name}", AMD64)
    assert name_text(found) == b"top"
    assert mirror.log


def test_a_broken_transfer_goes_on_where_it_stopped(shared, mirror, image, tmp_path) -> None:
    name = fresh()
    push(shared.url, name, [image], {})
    mirror.cuts = 2
    sources = sources_in(tmp_path, mirrors=(("registry.invalid", mirror.url),))
    found = sources.get(f"registry.invalid/{name}", AMD64)
    assert name_text(found) == b"top"
    ranges = [wanted for _, wanted in mirror.log if wanted]
    assert ranges == ["bytes=100000-", "bytes=200000-"]


def test_a_server_without_ranges_sends_everything_again(shared, mirror, image, tmp_path) -> None:
    name = fresh()
    push(shared.url, name, [image], {})
    mirror.cuts = 2
    mirror.no_ranges = True
    sources = sources_in(tmp_path, mirrors=(("registry.invalid", mirror.url),))
    assert name_text(sources.get(f"registry.invalid/{name}", AMD64)) == b"top"
    assert mirror.cuts == 0
    assert [wanted for path, wanted in mirror.log if wanted.startswith("bytes=100000-")]


def test_a_busy_registry_is_asked_again(shared, mirror, image, tmp_path: Path) -> None:
    name = fresh()
    push(shared.url, name, [image], {})
    mirror.busy = 4
    sources = sources_in(tmp_path, mirrors=(("registry.invalid", mirror.url),))
    assert name_text(sources.get(f"registry.invalid/{name}", AMD64)) == b"top"
    assert mirror.busy == 0


def test_bytes_of_another_digest_are_not_kept(shared, mirror, image, tmp_path: Path) -> None:
    name = fresh()
    push(shared.url, name, [image], {})
    mirror.flip = True
    sources = sources_in(tmp_path, mirrors=(("registry.invalid", mirror.url),))
    with pytest.raises(IntegrityError):
        sources.get(f"registry.invalid/{name}", AMD64)
    large = json.loads(image.manifest())["layers"][1]["digest"]
    kept = [path.name for path in (sources.cache_dir / "images/blobs").rglob("*")]
    assert not [file for file in kept if file.startswith(hex_of(large))]
    mirror.flip = False
    assert name_text(sources.get(f"registry.invalid/{name}", AMD64)) == b"top"


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:99999/", "https:///a"])
def test_a_redirection_to_nowhere_is_told(location: str, tmp_path: Path) -> None:
    class Nowhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(307)
            self.send_header("location", location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nowhere) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            with pytest.raises(NetworkError, match="none"):
                sources_in(tmp_path).get(f"127.0.0.1:{server.server_port}/app:1", AMD64)
        finally:
            server.shutdown()
            thread.join()
