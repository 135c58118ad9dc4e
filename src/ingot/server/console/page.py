"""The console's listener: one self-contained page until the console proper is built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ingot</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  main { max-width: 42rem; margin: 10vh auto; padding: 0 1rem; }
  pre { overflow-x: auto; padding: 1rem; border: 1px solid; border-radius: .4rem; }
</style>
</head>
<body>
<main>
<h1>Ingot is running</h1>
<p>This is an S3 object store. Point any S3 client at its API port, or use the command line:</p>
<pre><code>ingot alias set store http://HOST:9000
ingot mb store/photos
ingot mirror ./photos store/photos</code></pre>
<p>The keys are on the server's console, and <code>ingot server keys</code> prints them there.</p>
</main>
</body>
</html>
"""
_HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-length", b"%d" % len(_PAGE)),
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"server", b"Ingot"),
]
_EMPTY_HEADERS = [(b"content-length", b"0"), (b"server", b"Ingot")]

_Message = MutableMapping[str, Any]


async def console_app(
    scope: _Message,
    receive: Callable[[], Awaitable[_Message]],
    send: Callable[[_Message], Awaitable[None]],
) -> None:
    """Answer `/` with the page and everything else with 404 (an ASGI application)."""
    assert scope["type"] == "http"
    found = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
    headers = _HEADERS if found else _EMPTY_HEADERS
    body = _PAGE if found and scope["method"] == "GET" else b""
    await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
