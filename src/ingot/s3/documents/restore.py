"""The document that asks for an archived object to be readable for some days."""

from __future__ import annotations

from ingot.s3 import xml


def render(days: int) -> bytes:
    """Write it."""
    return xml.document("RestoreRequest", xml.leaf("Days", str(days)))
