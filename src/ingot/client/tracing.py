"""Shows requests and answers on standard error, for who looks for a fault; without secrets."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping

from ingot.client.wire import current
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Request, Response, Transport

_HIDDEN = "**hidden**"
# Whoever reads a log of these could act as the user, or read what they encrypted.
_SECRETS = re.compile(r"(?P<name>(?:Signature|Security-Token)=)[^&,\s]+", re.IGNORECASE | re.ASCII)
_SECRET_HEADERS = re.compile(
    r"cookie|proxy-authorization|.*-(token|customer-key)", re.IGNORECASE | re.ASCII
)


def make_transport(options: TransportOptions) -> Transport:
    """Return a transport that shows what it does if that was asked for."""
    return _TracedTransport(options) if current().is_traced else Transport(options)


class _TracedTransport(Transport):
    def begin(self, request: Request) -> Callable[[], Response]:
        url = f"{request.scheme}://{request.authority}{request.target}"
        _show(f"> {request.method} {_cleared(url)}", request.headers)
        receive = super().begin(request)

        def answer() -> Response:
            response = receive()
            _show(f"< {response.status}", response.headers)
            return response

        return answer


def _show(first: str, headers: Mapping[str, str]) -> None:
    lines = [first, *(f"  {name}: {_value(name, value)}" for name, value in headers.items())]
    # One write each, so that the lines of several threads do not mix.
    sys.stderr.write("".join(f"debug: {line}\n" for line in lines))
    sys.stderr.flush()


def _value(name: str, value: str) -> str:
    return _HIDDEN if _SECRET_HEADERS.fullmatch(name) else _cleared(value)


def _cleared(text: str) -> str:
    return _SECRETS.sub(rf"\g<name>{_HIDDEN}", text)
