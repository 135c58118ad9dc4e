"""A program: moto behind TLS, with what it lacks of S3 and MinIO.

- Keys of customers (SSE-C), as S3 defines them: three headers that are checked, bytes that are kept
  encrypted, requests without the key or with another that are refused.
- Objects within zip files (`x-minio-extract: true`), as MinIO shows them.
- Queries on Parquet: plain files without compression are handed to moto as lines of JSON.

MinIO itself was compared with it; it cannot be had in the time that tests have.

    python extended_service.py CERTIFICATE    prints its port
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sys
import threading
import zipfile
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape

from moto.server import DomainDispatcherApplication, create_backend_app
from tests.integration.parquet import parquet_rows
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from ingot.s3.checksums import encode, new

KEY = "x-amz-server-side-encryption-customer-"
SOURCE_KEY = "x-amz-copy-source-server-side-encryption-customer-"
NEEDS_KEY = (
    "The object was stored using a form of Server Side Encryption. The correct parameters must be"
    " provided to retrieve the object"
)
KEPT = ("content-type", "cache-control", "content-encoding", "x-amz-storage-class", "x-amz-meta-")


class RefusalError(Exception):
    """What a request is refused with."""

    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = Answer.of_xml(
            f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>", status
        )


class Answer(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of_xml(cls, text: str, status: str = "200 OK") -> Answer:
        return cls(status, {"content-type": "application/xml"}, text.encode())


class Asked:
    """A request that can be asked again in other words."""

    def __init__(self, environ: dict[str, Any], body: bytes) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.path = unquote(environ["RAW_URI"].partition("?")[0])
        self.query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        self.body = body

    def header(self, name: str) -> str:
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

    def again(
        self,
        method: str,
        body: bytes | None = None,
        *,
        path: str | None = None,
        query: str | None = None,
        without: str = "^$",
        **headers: str,
    ) -> dict[str, Any]:
        gone = re.compile(f"encryption-customer|{without}")
        environ = {
            name: value
            for name, value in self.environ.items()
            if not gone.search(name.lower().replace("_", "-"))
        }
        data = self.body if body is None else body
        target = quote(self.path if path is None else path)
        asked = self.environ["QUERY_STRING"] if query is None else query
        environ |= {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote(target),
            "RAW_URI": f"{target}?{asked}",
            "REQUEST_URI": f"{target}?{asked}",
            "QUERY_STRING": asked,
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
        }
        for name, value in headers.items():
            environ[name if name == "CONTENT_TYPE" else f"HTTP_{name}"] = value
        return environ


class Service:
    """The application; one request at a time."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        # The MD5 of the key, by path and by upload. Keys are not kept, as S3 keeps none.
        self._sealed: dict[str, str] = {}
        self._uploads: dict[str, str] = {}
        # The CRC32C of what was sent: that of what is kept would be another.
        self._sums: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = _body(environ)
        with self._lock:
            try:
                answer = self._answer(Asked(environ, body))
            except RefusalError as refusal:
                answer = refusal.answer
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        start_response(answer.status, [*answer.headers.items()])
        return [b"" if is_head else answer.body]

    def _ask(self, environ: dict[str, Any]) -> Answer:
        data, status, headers = run_wsgi_app(self._inner, environ, buffered=True)
        named = {name.lower(): value for name, value in headers}
        return Answer(status, named, b"".join(data))

    def _answer(self, asked: Asked) -> Answer:
        if asked.header("x-minio-extract") == "true":
            found = self._of_zip(asked)
            if found is not None:
                return found
        if "select" in asked.query and b"<Parquet" in asked.body:
            return self._of_parquet(asked)
        key, source = _key_of(asked, KEY), _key_of(asked, SOURCE_KEY)
        origin = unquote(asked.header("x-amz-copy-source")).partition("?")[0]
        origin = f"/{origin.lstrip('/')}" if origin else ""
        if asked.method == "PUT" and origin:
            self._check_key(origin, source)
            if key or source:
                return self._copied(asked, key, source)
        elif asked.path.count("/") > 1:
            if asked.method in {"PUT", "POST"}:
                return self._written(asked, key)
            if asked.method in {"GET", "HEAD"} and not asked.query.keys() - {"partNumber"}:
                self._check_key(asked.path, key)
                if key:
                    answer = _sealed(self._ask(asked.again(asked.method)), key)
                    if asked.header("x-amz-checksum-mode") and asked.path in self._sums:
                        answer.headers["x-amz-checksum-crc32c"] = self._sums[asked.path]
                        answer.headers["x-amz-checksum-type"] = "FULL_OBJECT"
                    return answer
        answer = self._ask(asked.again(asked.method))
        if answer.status.startswith("2") and asked.method == "DELETE":
            self._sealed.pop(asked.path, None)
        return answer

    def _check_key(self, path: str, key: bytes) -> None:
        known = self._sealed.get(path)
        if known is None and key:
            message = "The encryption parameters are not applicable to this object."
            raise RefusalError("400 Bad Request", "InvalidRequest", message)
        if known is not None and not key:
            raise RefusalError("400 Bad Request", "InvalidRequest", NEEDS_KEY)
        if known is not None and known != _md5(key):
            raise RefusalError("403 Forbidden", "AccessDenied", "Access Denied")

    def _written(self, asked: Asked, key: bytes) -> Answer:
        upload = asked.query.get("uploadId", [""])[0]
        is_begun, is_select = "uploads" in asked.query, "select" in asked.query
        if is_select:
            self._check_key(asked.path, key)
        if is_select and key:
            return self._selected(asked, key)
        if is_select or (asked.method == "POST" and upload) or not (key or upload):
            answer = self._ask(asked.again(asked.method))
            if upload in self._uploads and answer.status.startswith("2"):
                self._sealed[asked.path] = self._uploads.pop(upload)
                self._sums.pop(asked.path, None)
            elif not asked.query:
                self._sealed.pop(asked.path, None)
            return answer
        if upload and self._uploads.get(upload, "") != (_md5(key) if key else ""):
            raise RefusalError("400 Bad Request", "InvalidRequest", NEEDS_KEY)
        # The sums are of what is sent, so moto, which would take them for its own, gets none.
        body = _xored(asked.body, key) if key else asked.body
        answer = self._ask(
            asked.again(asked.method, body, without="checksum|trailer|content-sha256|decoded|md5$")
        )
        if not answer.status.startswith("2"):
            return answer
        if is_begun:
            begun = re.search(rb"<UploadId>(.*?)</UploadId>", answer.body)
            assert begun is not None, answer
            self._uploads[begun[1].decode()] = _md5(key)
        elif not upload:
            self._sealed[asked.path] = _md5(key)
            self._sums[asked.path] = _crc(asked.body)
        if told := asked.header("x-amz-checksum-crc32c"):
            answer.headers["x-amz-checksum-crc32c"] = told
        return _told(answer, key)

    def _copied(self, asked: Asked, key: bytes, source: bytes) -> Answer:
        answer = self._ask(asked.again("PUT"))
        if not answer.status.startswith("2"):
            return answer
        copy = self._ask(asked.again("GET", b"", query="", without="copy|range|checksum"))
        kept = {
            name.upper().replace("-", "_"): value
            for name, value in copy.headers.items()
            if name.startswith(KEPT)
        }
        plain = _xored(copy.body, source) if source else copy.body
        data = _xored(plain, key) if key else plain
        self._ask(asked.again("PUT", data, without="copy|checksum|metadata-directive", **kept))
        self._sealed.pop(asked.path, None)
        if key:
            self._sealed[asked.path] = _md5(key)
            self._sums[asked.path] = _crc(plain)
        return _told(answer, key)

    def _selected(self, asked: Asked, key: bytes) -> Answer:
        kept = self._plain(asked, asked.path)
        try:
            self._put(asked, _xored(kept, key))
            return self._ask(asked.again("POST"))
        finally:
            self._put(asked, kept)

    def _of_parquet(self, asked: Asked) -> Answer:
        kept = self._plain(asked, asked.path)
        if not (kept.startswith(b"PAR1") and kept.endswith(b"PAR1")):
            message = "Error parsing Parquet file. Please check the file and try again."
            raise RefusalError("400 Bad Request", "ParquetParsingError", message)
        lines = "".join(f"{json.dumps(row)}\n" for row in parquet_rows(kept))
        read = re.sub(
            rb"<Parquet ?/?>(</Parquet>)?", b"<JSON><Type>LINES</Type></JSON>", asked.body
        )
        try:
            self._put(asked, lines.encode())
            return self._ask(asked.again("POST", read, without="sha256|checksum|md5"))
        finally:
            self._put(asked, kept)

    def _plain(self, asked: Asked, path: str) -> bytes:
        answer = self._ask(asked.again("GET", b"", path=path, query="", without="range|if-"))
        if not answer.status.startswith("2"):
            raise RefusalError("404 Not Found", "NoSuchKey", "The specified key does not exist.")
        return answer.body

    def _put(self, asked: Asked, data: bytes) -> None:
        self._ask(asked.again("PUT", data, query="", without="sha256|checksum|md5|server-side"))

    def _of_zip(self, asked: Asked) -> Answer | None:
        """Answer about what is in a zip file; None if the request is about none."""
        prefix = asked.query.get("prefix", [""])[0]
        whole = asked.path if asked.path.count("/") > 1 else f"{asked.path.rstrip('/')}/{prefix}"
        path, found, name = whole.partition(".zip/")
        if not found or asked.method not in {"GET", "HEAD"}:
            return None
        path += ".zip"
        with zipfile.ZipFile(io.BytesIO(self._plain(asked, path))) as archive:
            if "list-type" in asked.query:
                delimiter = asked.query.get("delimiter", [""])[0]
                key = path[1:].partition("/")[2]
                return Answer.of_xml(_listing(archive, key, name, delimiter))
            try:
                data = archive.read(name)
            except KeyError:
                message = "The specified key does not exist."
                raise RefusalError("404 Not Found", "NoSuchKey", message) from None
        headers = {"last-modified": "Sat, 28 Nov 2026 05:18:19 GMT", "accept-ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.header("range"))
        if wanted is None:
            return Answer("200 OK", headers | {"content-length": str(len(data))}, data)
        start, end = int(wanted[1]), int(wanted[2] or len(data) - 1)
        headers["content-range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
        return Answer("206 Partial Content", headers, data[start : end + 1])


def _listing(archive: zipfile.ZipFile, key: str, prefix: str, delimiter: str) -> str:
    """What is below a prefix; MinIO gives what is within no ETags."""
    entries, folders = [], set()
    for item in sorted(archive.infolist(), key=lambda item: item.filename):
        name = item.filename
        if item.is_dir() or not name.startswith(prefix):
            continue
        if delimiter and delimiter in name[len(prefix) :]:
            folders.add(prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter)
            continue
        entries.append(
            f"<Contents><Key>{escape(f'{key}/{name}')}</Key><ETag></ETag>"
            f"<LastModified>2026-11-28T05:18:19.000Z</LastModified>"
            f"<Size>{item.file_size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    shown = (
        f"<CommonPrefixes><Prefix>{escape(f'{key}/{folder}')}</Prefix></CommonPrefixes>"
        for folder in sorted(folders)
    )
    return (
        f"<ListBucketResult><Prefix>{escape(f'{key}/{prefix}')}</Prefix>"
        f"<IsTruncated>false</IsTruncated>{''.join(entries)}{''.join(shown)}</ListBucketResult>"
    )


def _key_of(asked: Asked, lead: str) -> bytes:
    """Return the key that a request brings; empty if it brings none."""
    algorithm, text, told = (asked.header(lead + name) for name in ("algorithm", "key", "key-md5"))
    if not (algorithm or text or told):
        return b""
    key = base64.b64decode(text, validate=True)
    if algorithm != "AES256" or len(key) != 32:
        message = "The secret key was invalid for the specified algorithm."
        raise RefusalError("400 Bad Request", "InvalidArgument", message)
    if _md5(key) != told:
        message = "The calculated MD5 hash of the key did not match the hash that was provided."
        raise RefusalError("400 Bad Request", "InvalidArgument", message)
    return key


def _md5(key: bytes) -> str:
    return base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()


def _crc(data: bytes) -> str:
    total = new("CRC32C")
    total.update(data)
    return encode(total.digest())


def _xored(data: bytes, key: bytes, offset: int = 0) -> bytes:
    """Encrypt, or decrypt: as good as a test needs, and the same for each part of an object."""
    pad = hashlib.sha256(key).digest()
    start = offset % len(pad)
    stream = (pad * (len(data) // len(pad) + 2))[start : start + len(data)]
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")
    return mixed.to_bytes(len(data), "big")


def _sealed(answer: Answer, key: bytes) -> Answer:
    """Decrypt what is answered."""
    if not key or not answer.status.startswith("2"):
        return answer
    told = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    body = _xored(answer.body, key, int(told[1]) if told else 0)
    return _told(answer._replace(body=body), key)


def _told(answer: Answer, key: bytes) -> Answer:
    """Say what an object is encrypted with, as each answer about it does."""
    sealed = {f"{KEY}algorithm": "AES256", f"{KEY}key-md5": _md5(key)} if key else {}
    return answer._replace(headers=answer.headers | sealed)


def _body(environ: dict[str, Any]) -> bytes:
    """Read a body without its framing, and verify the sum behind it or in front."""
    data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ.get("HTTP_X_AMZ_CONTENT_SHA256", "").endswith("-TRAILER"):
        pieces, data = [], io.BytesIO(data)
        while size := int(data.readline().split(b";")[0], 16):
            pieces.append(data.read(size))
            data.readline()
        for line in filter(None, map(bytes.strip, data)):
            name, _, value = line.decode().partition(":")
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value.strip()
        data = b"".join(pieces)
        for name in ("CONTENT_SHA256", "TRAILER", "DECODED_CONTENT_LENGTH"):
            environ.pop(f"HTTP_X_AMZ_{name}", None)
        environ.pop("HTTP_CONTENT_ENCODING", None)
    told = environ.get("HTTP_X_AMZ_CHECKSUM_CRC32C")
    if told and environ["REQUEST_METHOD"] == "PUT":
        assert _crc(data) == told, "the checksum is of what is sent"
    return bytes(data)


if __name__ == "__main__":
    application = Service(DomainDispatcherApplication(create_backend_app))
    certificate = sys.argv[1]
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, ssl_context=(certificate, certificate)
    )
    print(server.server_port, flush=True)
    server.serve_forever()
