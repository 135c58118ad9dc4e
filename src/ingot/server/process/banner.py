"""What a server says when it starts: endpoints, keys if they may be shown, what to type next."""

from __future__ import annotations

import socket
from typing import Any

from ingot.server.process.address import Address, bracketed
from ingot.server.process.keys import RootKeys


def reachable_hosts(address: Address) -> list[str]:
    """Return the hosts under which a listener can be reached, the most useful first."""
    if not address.is_wildcard:
        return [address.host]
    outward = _outward_host()
    return [outward, "127.0.0.1"] if outward else ["127.0.0.1"]


def describe(
    address: Address, console_address: Address, keys: RootKeys, *, show_keys: bool
) -> dict[str, Any]:
    """Return the banner as data; keys are in it only if they may be shown."""
    document: dict[str, Any] = {
        "endpoints": [f"http://{bracketed(h)}:{address.port}" for h in reachable_hosts(address)],
        "console": [
            f"http://{bracketed(h)}:{console_address.port}"
            for h in reachable_hosts(console_address)
        ],
    }
    document["keys"] = "generated" if keys.generated else "configured"
    if show_keys:
        document["access_key"] = keys.access_key
        document["secret_key"] = keys.secret_key.reveal()
    return document


def render(document: dict[str, Any], data_dir: str) -> str:
    """Return the banner as text for people."""
    endpoint = document["endpoints"][0]
    lines = [f"S3 endpoint:  {'  '.join(document['endpoints'])}"]
    if "access_key" in document:
        lines += [
            f"Access key:   {document['access_key']}",
            f"Secret key:   {document['secret_key']}",
        ]
    lines.append(f"Console:      {'  '.join(document['console'])}")
    command = f"ingot alias set store {endpoint}"  # asks for keys that are not given
    if "access_key" in document:
        command += f" {document['access_key']} {document['secret_key']}"
    else:
        told = {"generated": f"ingot server keys {data_dir}", "configured": "as configured"}
        lines.append(f"Keys:         {told[document['keys']]}")
    lines.append(f"Try it:       {command}")
    return "\n".join(lines)


def _outward_host() -> str | None:
    # Connecting a datagram socket sends nothing: it only asks the kernel which source address
    # leads outward. 192.0.2.1 is the documentation network (RFC 5737), which nobody answers on.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        host = str(probe.getsockname()[0])
    return None if host.startswith(("127.", "0.")) else host
